"""behave.py - how an answer is sent, and every way of sending it badly.

A behaviour is a dictionary:

    chunk: n            chunked, n bytes per chunk, each its own write
    write: n            Content-Length, n bytes per write
    pause: s            between those writes
    gzip / deflate      compress the body
    delay: s            before the answer
    hang: true          never answer
    reset: WHEN         RST: connect | request | before | headers | body
    truncate: n         full Content-Length, end of stream after n bytes
    eof: true           no length at all, end of stream ends the body
    close: true         Connection: close
    garbage: true       something that is not HTTP
    status, body, body_file, body_b64, content_type
    headers: [[k, v]]   extra headers
    fault: NAME         a fault of the samples, HTTP 500
    unauthorized: true  401 with Negotiate and NTLM
    redirect: URL       302
    force: true         behave so even for a request that breaks the rules
    times: k            for k requests (or connections), then normal
"""
import asyncio
import base64
import gzip
import socket
import struct
import zlib

import answers

REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 407: "Proxy Authentication Required",
           500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


class Behaviour:
    """The behaviour of a listener, with its countdown."""

    def __init__(self, spec=None):
        self.spec = dict(spec or {})
        self.left = self.spec.get("times")

    def at_accept(self):
        if self.spec.get("reset") != "connect":
            return False
        return bool(self.take())

    def take(self):
        """What applies to the next request."""
        if self.left is None:
            return self.spec
        if self.left <= 0:
            return {}
        self.left -= 1
        return self.spec


def reset_socket(sock):
    """A linger time of zero makes close() send RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def head(status, pairs):
    lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Other"))]
    lines += ["%s: %s" % (k, v) for k, v in pairs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def plain(writer, status, headers):
    body = b"refused by the stand-in\n"
    pairs = list(headers.items()) + [("Content-Type", "text/plain"),
                                     ("Content-Length", str(len(body)))]
    writer.write(head(status, pairs) + body)
    await writer.drain()


def shape(spec, answer):
    """(status, body, content type, extra headers) after the overrides."""
    status, body, kind = answer.status, answer.body, answer.content_type
    extra = [tuple(h) for h in spec.get("headers", ())]
    if "fault" in spec:
        soap = "1.2" if kind.startswith("application/soap") else "1.1"
        f = answers.fault(spec["fault"], soap)
        status, body, kind = f.status, f.body, f.content_type
    if spec.get("unauthorized"):
        status, body, kind = 401, b"<html>401</html>", "text/html"
        extra += [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")]
    if "redirect" in spec:
        status, body, kind = 302, b"<html>302</html>", "text/html"
        extra.append(("Location", spec["redirect"]))
    if "body_file" in spec:
        with open(spec["body_file"], "rb") as fh:
            body = fh.read()
    if "body_b64" in spec:
        body = base64.b64decode(spec["body_b64"])
    if "body" in spec:
        body = spec["body"].encode()
    if spec.get("gzip"):
        body = gzip.compress(body)
        extra.append(("Content-Encoding", "gzip"))
    if spec.get("deflate"):
        body = zlib.compress(body)
        extra.append(("Content-Encoding", "deflate"))
    return spec.get("status", status), body, spec.get("content_type", kind), extra


def framing(spec, status, body):
    """Headers that delimit the body."""
    if status in (204, 304):
        return []
    if "chunk" in spec:
        return [("Transfer-Encoding", "chunked")]
    if spec.get("eof"):
        return []
    return [("Content-Length", str(len(body)))]


async def answer(writer, reader, spec, ans):
    """Sends one answer; true when the connection can take another request."""
    if spec.get("delay"):
        await asyncio.sleep(spec["delay"])
    if spec.get("hang"):
        while await reader.read(65536):
            pass
        return False
    if spec.get("reset") == "before":
        reset(writer)
        return False
    if spec.get("garbage"):
        writer.write(b"\x16\x03\x01\x00garbage, not HTTP\r\n\r\n")
        await writer.drain()
        return False
    status, body, kind, extra = shape(spec, ans)
    closing = bool(spec.get("close") or spec.get("eof"))
    pairs = [("Cache-Control", "private, max-age=0"), ("Content-Type", kind),
             ("Server", "Microsoft-IIS/10.0"), ("X-AspNet-Version", "4.0.30319")]
    pairs += framing(spec, status, body) + extra
    if closing:
        pairs.append(("Connection", "close"))
    block = head(status, pairs)
    if spec.get("reset") == "headers":
        writer.write(block[:len(block) // 2])
        await writer.drain()
        reset(writer)
        return False
    if status in (204, 304):
        body = b""
    return await send(writer, spec, block, body) and not closing


async def send(writer, spec, block, body):
    if spec.get("reset") == "body" or "truncate" in spec:
        writer.write(block + body[:spec.get("truncate", len(body) // 2)])
        await writer.drain()
        if spec.get("reset") == "body":
            await asyncio.sleep(spec.get("pause", 0))
            reset(writer)
        return False
    step = spec.get("chunk") or spec.get("write")
    if not step:
        writer.write(block + body)
        await writer.drain()
        return True
    writer.write(block)
    for at in range(0, len(body), step):
        part = body[at:at + step]
        if "chunk" in spec:
            part = b"%x\r\n%s\r\n" % (len(part), part)
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(spec.get("pause", 0))
    if "chunk" in spec:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    return True
