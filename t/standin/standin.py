#!/usr/bin/python3
"""standin.py - a strict stand-in for Azure RMS and AD RMS.  Standard library only.

    standin.py --config FILE.json

Prints "ready" on stdout when every listener accepts, ends on SIGTERM or SIGINT.
It accepts only what a careful relay would send (see rules.py) and answers
everything else with 400 and "X-Standin-Violation: code: detail".

The configuration:

    {"journal": "/path/requests.jsonl",            one line per request, flushed
     "control": {"addr": "127.0.0.1", "port": 1},  optional, see control.py
     "listeners": [{
        "name": "azure",                           default: kind
        "addr": "127.0.0.1", "port": 2, "kind": "azure" | "adrms",
        "base": "https://host/_wmcs",              default Host and path prefix
        "tls": {"cert": "x.pem", "key": "x.key"} | null,
        "require_authorization": "Bearer x" | null,
        "require_host": "host" | ["a", "b"],       default: host of base
        "licensor": "guid" | ["guid", ...],        the clusters it holds keys of;
                                                   default: those of the samples
                                                   but NORTHQUAY-RMS (07e)
        "accept_encoding": "rewritten" | "identity" | "any",
                                                   where Accept-Encoding must be
                                                   absent or identity; default:
                                                   only for the three operations
                                                   whose answers hold addresses
        "rebase": "https://host/_wmcs",            unsigned addresses of answers
                                                   are moved to this base
        "allow": ["charset", ...],                 violation codes to let pass
        "behaviour": {...}                         see behave.py
     }]}
"""
import argparse
import asyncio
import json
import os
import signal
import socket
import ssl
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import answers      # noqa: E402
import behave       # noqa: E402
import control      # noqa: E402
import rules        # noqa: E402

MAX_HEAD = 128 * 1024
MAX_BODY = 64 * 1024 * 1024


class Journal:
    """One JSON line per request, written before the request is answered."""

    def __init__(self, path):
        self.fh = open(path, "a", buffering=1) if path else None

    def write(self, **entry):
        if self.fh:
            self.fh.write(json.dumps(entry) + "\n")
            self.fh.flush()


class Listener:
    """One address; owns its counters, options and behaviour."""

    def __init__(self, conf, server):
        self.conf = conf
        self.name = conf.get("name", conf["kind"])
        self.server = server
        self.rules = rules.Rules(conf)
        self.answers = answers.Answers(conf)
        self.behaviour = behave.Behaviour(conf.get("behaviour"))
        self.count = dict(accepted=0, open=0, requests=0, violations=0)
        self.sock = None
        self.tls = None

    def configure(self, options):
        self.conf.update(options)
        self.rules = rules.Rules(self.conf)
        self.answers = answers.Answers(self.conf)

    def bind(self):
        family = socket.AF_INET6 if ":" in self.conf["addr"] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.conf["addr"], self.conf["port"]))
        self.sock.listen(1024)
        self.sock.setblocking(False)
        tls = self.conf.get("tls")
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(tls["cert"], tls["key"])

    async def accept_forever(self):
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self.sock)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            self.count["accepted"] += 1
            if self.behaviour.at_accept():
                behave.reset_socket(sock)
                continue
            self.server.spawn(self.serve(sock))

    async def serve(self, sock):
        conn = self.server.next_connection()
        self.count["open"] += 1
        writer = None
        try:
            reader, writer = await self.streams(sock)
            while await self.one_request(conn, reader, writer):
                pass
        except (OSError, EOFError, ssl.SSLError, asyncio.LimitOverrunError):
            pass
        finally:
            self.count["open"] -= 1
            if writer is not None:
                writer.close()
            else:
                sock.close()

    async def streams(self, sock):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_HEAD, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=self.tls)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def one_request(self, conn, reader, writer):
        """Reads and answers one request; false when the connection is over."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                self.record(conn, "", "", [], b"", rules.Verdict("incomplete-head"))
            return False
        self.count["requests"] += 1
        method, target, version, pairs, bad = parse_head(head)
        if bad:
            self.record(conn, method, target, pairs, b"", rules.Verdict("head", bad))
            await behave.plain(writer, 400, {"X-Standin-Violation": "head: " + bad})
            return False
        behaviour = self.behaviour.take()
        if behaviour.get("reset") == "request":
            self.record(conn, method, target, pairs, b"", rules.Verdict("not-read"))
            behave.reset(writer)
            return False
        if rules.last(pairs, "expect").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = await read_body(reader, pairs)
        except (asyncio.IncompleteReadError, ValueError) as e:
            self.record(conn, method, target, pairs, getattr(e, "partial", b""),
                        rules.Verdict("incomplete-body"))
            return False
        verdict = self.rules.judge(method, target, version, pairs, body)
        self.record(conn, method, target, pairs, body, verdict)
        if verdict.violation and not behaviour.get("force"):
            text = "%s: %s" % (verdict.violation, verdict.detail)
            await behave.plain(writer, 400, {"X-Standin-Violation": text})
            return True
        answer = self.answers.find(verdict, body)
        keep = await behave.answer(writer, reader, behaviour, answer)
        return keep and rules.last(pairs, "connection").lower() != "close"

    def record(self, conn, method, target, pairs, body, verdict):
        if verdict.violation:
            self.count["violations"] += 1
        self.server.journal.write(
            listener=self.name, conn=conn, method=method, path=target,
            headers={k.lower(): v for k, v in pairs}, raw=pairs, length=len(body),
            sha256=rules.sha256(body), operation=verdict.operation, soap=verdict.soap,
            children=verdict.children, verified=verdict.verified,
            unsigned=verdict.unsigned, licensor=verdict.licensor,
            verdict="violation" if verdict.violation else "ok",
            violation=verdict.violation, detail=verdict.detail,
            tolerated=verdict.tolerated)


def parse_head(head):
    """(method, target, version, [(name, value)], error)"""
    lines = head[:-4].decode("latin-1").split("\r\n")
    first = lines[0].split(" ")
    if len(first) != 3:
        return lines[0], "", "", [], "request line"
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            return first[0], first[1], first[2], pairs, "header line"
        pairs.append((name, value.strip(" \t")))
    return first[0], first[1], first[2], pairs, None


async def read_body(reader, pairs):
    if "chunked" in rules.last(pairs, "transfer-encoding").lower():
        return await read_chunked(reader)
    text = rules.last(pairs, "content-length")
    length = int(text) if text.isdigit() else 0
    if length > MAX_BODY:
        raise ValueError("too large")
    return await reader.readexactly(length) if length else b""


async def read_chunked(reader):
    out = b""
    while len(out) <= MAX_BODY:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return out
        out += (await reader.readexactly(size + 2))[:-2]
    raise ValueError("too large")


class Server:
    def __init__(self, conf):
        self.journal = Journal(conf.get("journal"))
        self.listeners = [Listener(c, self) for c in conf["listeners"]]
        self.control = control.Control(conf.get("control"), self.listeners)
        self.connections = 0
        self.tasks = set()

    def next_connection(self):
        self.connections += 1
        return self.connections

    def spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self):
        stop = asyncio.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sig, stop.set)
        for listener in self.listeners:
            listener.bind()
        await self.control.start()
        for listener in self.listeners:
            self.spawn(listener.accept_forever())
        print("ready", flush=True)
        await stop.wait()
        for task in list(self.tasks):
            task.cancel()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--config", required=True)
    with open(ap.parse_args().config) as fh:
        asyncio.run(Server(json.load(fh)).run())


if __name__ == "__main__":
    main()
