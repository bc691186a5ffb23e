#!/usr/bin/python3
"""client.py < job > answers: requests over one HTTP/3 connection, one stream each.

What curl does not do: streams that follow each other on a connection, bodies
that end too early, frames that nobody knows, TLS sessions that go on.

The job is JSON: addr, port, name (SNI and :authority), ca, deadline, session (a
file for the TLS session, taken up if it is there), requests: a list of
  method, path, headers: [[name, value], ...], authority
  body      of so many bytes of "x", or a text
  length    true: with a Content-Length
  size      bytes of a DATA frame, all of the body without it
  unknown   so many empty frames of an unknown type, before the body (of one
            with bytes in it nginx 1.26.3 takes those for the body that come in
            a later read)
  cut       the stream is reset after the body that is there
The answers are JSON: a list of {status, headers, body}, status 0 for a stream
that ended without, and "resumed" of the connection.
"""

import asyncio
import json
import os
import pickle
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

UNKNOWN = 0x21 + 0x1f * 7       # RFC 9114 7.2.8
DATA = 0
H3_REQUEST_CANCELLED = 0x10c


class Client(QuicConnectionProtocol):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.h3 = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for answer in self.answers.values():
                answer["end"].set()
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id]["end"].set()
        for e in self.h3.handle_event(event):
            answer = self.answers.get(getattr(e, "stream_id", None))
            if answer is None:
                continue
            if isinstance(e, HeadersReceived):
                answer["headers"] += [[k.decode(), v.decode()] for k, v in e.headers]
            if isinstance(e, DataReceived):
                answer["body"] += e.data
            if e.stream_ended:
                answer["end"].set()

    def frame(self, stream, kind, payload):
        self._quic.send_stream_data(stream, encode_uint_var(kind)
                                    + encode_uint_var(len(payload)) + payload)

    async def request(self, r, name, deadline):
        stream = self._quic.get_next_available_stream_id()
        answer = {"headers": [], "body": b"", "end": asyncio.Event()}
        self.answers[stream] = answer
        body = r.get("body", "")
        body = b"x" * body if isinstance(body, int) else body.encode("latin-1")
        headers = [[":method", r.get("method", "GET")], [":scheme", "https"],
                   [":authority", r.get("authority", name)], [":path", r["path"]]]
        headers += [[k.lower(), v] for k, v in r.get("headers", [])]
        if r.get("length"):
            headers.append(["content-length", str(r["length"])])
        self.h3.send_headers(stream, [(k.encode(), v.encode()) for k, v in headers])
        for _ in range(r.get("unknown", 0)):
            self.frame(stream, UNKNOWN, b"")
        size = r.get("size") or len(body) or 1
        for at in range(0, len(body), size):
            self.frame(stream, DATA, body[at:at + size])
        if r.get("cut"):
            self.transmit()
            await asyncio.wait_for(self.ping(), deadline)
            self._quic.reset_stream(stream, H3_REQUEST_CANCELLED)
            self.transmit()
            await asyncio.wait_for(self.ping(), deadline)
        else:
            self._quic.send_stream_data(stream, b"", end_stream=True)
            self.transmit()
            await asyncio.wait_for(answer["end"].wait(), deadline)
        fields = dict(answer["headers"])
        return {"status": int(fields.get(":status", 0)),
                "headers": [h for h in answer["headers"] if h[0] != ":status"],
                "body": answer["body"].decode("latin-1")}


async def main():
    job = json.load(sys.stdin)
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=job["name"])
    conf.load_verify_locations(cafile=job["ca"])
    session = job.get("session")
    kept = []
    if session and os.path.exists(session):
        with open(session, "rb") as f:
            conf.session_ticket = pickle.load(f)
    answers = []
    async with connect(job["addr"], job["port"], configuration=conf, create_protocol=Client,
                       session_ticket_handler=kept.append) as client:
        for r in job["requests"]:
            answers.append(await client.request(r, job["name"], job["deadline"]))
        resumed = client._quic.tls.session_resumed
    if session and kept:
        with open(session, "wb") as f:
            pickle.dump(kept[-1], f)
    json.dump({"resumed": resumed, "answers": answers}, sys.stdout)


asyncio.run(main())
