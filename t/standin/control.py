"""control.py - the control port: HTTP, one request per connection.

    PUT /behaviour/NAME   JSON of behave.py; {} is normal again
    PUT /options/NAME     JSON merged into the listener's configuration
    GET /state            {"NAME": {"accepted", "open", "requests", "violations"}}
"""
import asyncio
import json

import behave


class Control:
    def __init__(self, conf, listeners):
        self.conf = conf
        self.listeners = {x.name: x for x in listeners}
        self.server = None

    async def start(self):
        if self.conf:
            self.server = await asyncio.start_server(
                self.serve, self.conf["addr"], self.conf["port"])

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = 0
            for line in head.split("\r\n"):
                if line.lower().startswith("content-length:"):
                    length = int(line.split(":")[1])
            body = await reader.readexactly(length)
            status, out = self.handle(head.split(" ")[:2], body)
        except (asyncio.IncompleteReadError, ValueError, KeyError, TypeError) as e:
            status, out = 400, {"error": str(e)}
        data = json.dumps(out).encode()
        writer.write(behave.head(status, [("Content-Length", str(len(data))),
                                          ("Connection", "close")]) + data)
        await writer.drain()
        writer.close()

    def handle(self, line, body):
        method, path = line
        if (method, path) == ("GET", "/state"):
            return 200, {n: x.count for n, x in self.listeners.items()}
        if method != "PUT":
            return 400, {"error": "PUT or GET /state"}
        _, what, name = path.split("/")
        listener, value = self.listeners[name], json.loads(body)
        if what == "behaviour":
            listener.behaviour = behave.Behaviour(value)
        elif what == "options":
            listener.configure(value)
        else:
            return 400, {"error": "behaviour or options"}
        return 200, {}
