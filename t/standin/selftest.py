#!/usr/bin/python3
"""selftest.py - the stand-in must be strict, or every test above it proves nothing.

TAP on stdout, exit status 0 when all is well.
"""
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import answers      # noqa: E402

ADDR = "127.88.%d.%d" % (os.getpid() >> 8 & 255, os.getpid() & 255)
BASE = "http://rms01.corp.harbourline.example/_wmcs"
HOST = "rms01.corp.harbourline.example"
M = answers.STORE.by_name
count = failed = 0


def ok(good, name, detail=""):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s%s" % ("" if good else "not ", count, name,
                              "" if good else "\n# %s" % (detail,)))


def free_port():
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as s:
            try:
                s.bind((ADDR, port))
                if port not in taken:
                    taken.add(port)
                    return port
            except OSError:
                pass
    raise SystemExit("no free port")


taken = set()


def request(name, **over):
    """The bytes of a good request for a sample, with overrides."""
    m = M[name]
    body = over.get("body", m["body"])
    headers = {"Host": HOST, "Content-Length": str(len(body))}
    headers.update(m["headers"])
    headers.update(over.get("headers", {}))
    lines = ["%s %s %s" % (over.get("method", "POST"), over.get("path", m["path"]),
                           over.get("version", "HTTP/1.1"))]
    lines += ["%s: %s" % (k, v) for k, v in headers.items() if v is not None]
    lines += over.get("lines", [])
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Conn:
    def __init__(self, port):
        self.s = socket.create_connection((ADDR, port), timeout=10)
        self.f = self.s.makefile("rb")
        self.pieces = 0

    def read(self):
        """(status, headers, body) of the next answer."""
        status = int(self.f.readline().split()[1])
        headers = {}
        while True:
            line = self.f.readline().strip()
            if not line:
                break
            k, v = line.decode().split(":", 1)
            headers[k.lower()] = v.strip()
        if status == 100:
            return self.read()
        if headers.get("transfer-encoding") == "chunked":
            body, self.pieces = b"", 0
            while True:
                n = int(self.f.readline(), 16)
                part = self.f.read(n + 2)[:-2]
                if n == 0:
                    return status, headers, body
                body, self.pieces = body + part, self.pieces + 1
        if "content-length" not in headers:
            return status, headers, self.f.read()
        return status, headers, self.f.read(int(headers["content-length"]))


def ask(port, data):
    c = Conn(port)
    c.s.sendall(data)
    return c.read()


def put(port, what, value):
    body = json.dumps(value).encode()
    s, _, out = ask(port, b"PUT /%s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
                    % (what.encode(), len(body), body))
    assert s == 200, out


def violation(port, data):
    status, headers, _ = ask(port, data)
    return headers.get("x-standin-violation", "none").split(":")[0] if status == 400 else status


def samples_answered(port):
    never = ("16-", "17-", "18-", "07b", "07e")
    for name, m in M.items():
        if name.startswith(never):
            continue
        status, _, body = ask(port, request(name))
        want = m["answer"] or answers.to_soap12(M["05-getclientlicensorcert"]["answer"])
        ok((status, body) == (m["status"], want), "%s has its answer" % name, status)


def strictness(port):
    one = "07-acquirelicense"
    body = M[one]["body"]
    at = body.index(b'<BODY type="LICENSE"') + 30
    flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
    text = body.replace(b"Synthetic DRM CA", b"Synthetic DRM CB", 1)
    mb = body.replace(b"<soap:Body>", b"<soap:Body><x/>", 1)
    unsigned = M["06-acquireissuancelicense"]["body"]
    wrong = M["05-getclientlicensorcert"]["headers"]["SOAPAction"]
    cases = [
        ("signature", "one changed character inside a signed BODY", dict(body=text)),
        ("signature", "a space added inside a signed tag", dict(body=body.replace(b"<TIME>", b"<TIME >", 1))),
        ("path", "file name in another case", dict(path="/_wmcs/licensing/License.asmx")),
        ("path", "directory in another case", dict(path="/_WMCS/licensing/license.asmx")),
        ("path", "double slash", dict(path="/_wmcs//licensing/license.asmx")),
        ("path", "percent-encoding", dict(path="/_wmcs/licensing/%6cicense.asmx")),
        ("path", "path info", dict(path="/_wmcs/licensing/license.asmx/x")),
        ("path", "administration", dict(path="/_wmcs/admin/TemplateMgr.asmx")),
        ("path", "absolute form", dict(path=BASE + "/licensing/license.asmx")),
        ("query", "query string", dict(path="/_wmcs/licensing/license.asmx?x")),
        ("method", "GET", dict(method="GET", body=b"")),
        ("version", "HTTP/1.0", dict(version="HTTP/1.0")),
        ("host", "another Host", dict(headers={"Host": "rmsconnector.rms.test"})),
        ("duplicate", "two SOAPAction", dict(lines=["SOAPAction: " + wrong])),
        ("soapaction", "unquoted action", dict(headers={"SOAPAction": wrong.strip('"')})),
        ("soapaction", "action of another file", dict(headers={"SOAPAction": wrong})),
        ("soapaction", "no action", dict(headers={"SOAPAction": None})),
        ("body-child", "body of another operation", dict(body=M["08-acquireprelicense"]["body"])),
        ("body-child", "another first child", dict(body=mb)),
        ("content-type", "text/plain", dict(headers={"Content-Type": "text/plain; charset=utf-8"})),
        ("charset", "no charset", dict(headers={"Content-Type": "text/xml"})),
        ("charset", "utf-16", dict(headers={"Content-Type": "text/xml; charset=utf-16"})),
        ("authorization", "the client's token", dict(headers={"Authorization": "Negotiate YII="})),
        ("forbidden-header", "Range", dict(headers={"Range": "bytes=0-1"})),
        ("forbidden-header", "Content-Encoding", dict(headers={"Content-Encoding": "gzip"})),
        ("xml", "cut short", dict(body=body[:-20])),
        ("xml", "UTF-16", dict(body=body.decode().encode("utf-16"))),
        ("doctype", "DOCTYPE", dict(body=body.replace(b"?>", b"?><!DOCTYPE a []>", 1))),
        ("envelope", "SOAP 1.2 envelope under text/xml", dict(body=M["07c-acquirelicense-soap12"]["body"])),
    ]
    for code, name, over in cases:
        got = violation(port, request(one, **over))
        ok(got == code, "refused, %s: %s" % (code, name), got)
    got = violation(port, request(one, body=flipped))
    ok(got in ("signature", "xml"), "refused: one flipped bit inside an XrML body", got)
    wild = request("12-getserverinfo", headers={"Accept-Encoding": "gzip"})
    ok(violation(port, wild) == "accept-encoding", "refused: gzip where addresses are rewritten")
    pl = unsigned[unsigned.index(b"<XrML"):unsigned.index(b"</XrML>") + 7]
    put_in = body.replace(b"<IssuanceLicense>", b"<IssuanceLicense><Certificate>" + pl + b"</Certificate>", 1)
    ok(violation(port, request(one, body=put_in)) == "unsigned", "refused: unsigned licence outside publishing")
    chunked = request(one, headers={"Content-Length": None, "Transfer-Encoding": "chunked"}, body=b"")
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    ok(violation(port, chunked) == "transfer-encoding", "refused: chunked request")
    soap12 = request("07c-acquirelicense-soap12", headers={"Content-Type": "application/soap+xml; charset=utf-8"})
    ok(violation(port, soap12) == "soapaction", "refused: SOAP 1.2 without action")


def all_flips_matter(port):
    """Every signed byte of one message, sampled: none may change unnoticed."""
    body = M["08-acquireprelicense"]["body"]
    lo, hi = body.index(b"<BODY"), body.index(b"</BODY>")
    c, bad = Conn(port), []
    for at in range(lo, hi, max(1, (hi - lo) // 300)):
        changed = body[:at] + bytes([body[at] ^ 4]) + body[at + 1:]
        c.s.sendall(request("08-acquireprelicense", body=changed))
        if c.read()[0] != 400:
            bad.append(at)
    ok(not bad, "300 flips across one licence are all refused, one connection", bad)


def identity(port, ctl):
    good = request("09-acquiretemplateinformation", headers={"Authorization": "Bearer one"})
    ok(ask(port, good)[0] == 200, "the required identity is accepted")
    ok(violation(port, request("09-acquiretemplateinformation")) == "authorization", "no identity is refused")
    twice = request("09-acquiretemplateinformation", lines=["Authorization: Bearer one"] * 2)
    ok(violation(port, twice) == "duplicate", "two identities are refused")
    put(ctl, "options/azure", {"require_authorization": "Bearer two"})
    ok(violation(port, good) == "authorization", "the old identity is refused after a change")
    put(ctl, "options/azure", {"require_authorization": "Bearer one"})


def licensors(port, ctl):
    status, _, body = ask(port, request("07e-acquirelicense-othercluster"))
    ok(status == 500 and b"RightsLabelNoMatchingIssuedPrincipal" in body, "foreign licence: the fault")
    put(ctl, "options/adrms", {"licensor": answers.STORE.foreign})
    ok(ask(port, request("07e-acquirelicense-othercluster"))[0] == 200, "its own cluster opens it")
    ok(ask(port, request("07-acquirelicense"))[0] == 500, "and not the others'")
    put(ctl, "options/adrms", {"licensor": None, "rebase": "https://tenant.example/_wmcs"})
    body = ask(port, request("12-getserverinfo"))[2]
    ok(b'Url="https://tenant.example/_wmcs' in body, "rebase moves unsigned addresses")
    with tempfile.NamedTemporaryFile(suffix=".xml") as fh:
        fh.write(body)
        fh.flush()
        ref = os.path.join(answers.SAMPLES, M["12-getserverinfo"]["response"])
        done = subprocess.run([sys.executable, os.path.join(answers.SAMPLES, "check.py"),
                               "--relayed", ref, fh.name], stdout=subprocess.DEVNULL)
        ok(done.returncode == 0, "and nothing else")
    put(ctl, "options/adrms", {"rebase": None})


def misbehaviour(port, ctl):
    one = "12-getserverinfo"
    want = M[one]["answer"]

    def be(**spec):
        put(ctl, "behaviour/adrms", spec)
    be(chunk=1, times=1)
    c = Conn(port)
    c.s.sendall(request(one))
    ok(c.read()[2] == want and c.pieces == len(want), "chunk: one byte per chunk")
    c.s.sendall(request(one))
    ok("content-length" in c.read()[1], "times: the next answer is normal, same connection")
    be(gzip=True)
    _, h, body = ask(port, request(one))
    ok(h.get("content-encoding") == "gzip" and gzip.decompress(body) == want, "gzip")
    be(fault="fault-norights")
    status, h, body = ask(port, request(one))
    ok(status == 500 and b"NoRights" in body and h["content-type"].startswith("text/xml"), "fault")
    be(unauthorized=True)
    ok(ask(port, request(one))[0] == 401, "unauthorized")
    be(redirect="http://else.example/")
    ok(ask(port, request(one))[1].get("location") == "http://else.example/", "redirect")
    be(status=503, body="x", content_type="text/plain", headers=[["Retry-After", "7"]])
    status, h, body = ask(port, request(one))
    ok((status, body, h["retry-after"]) == (503, b"x", "7"), "status, body, headers")
    be(write=100)
    ok(ask(port, request(one))[2] == want, "write: split by 100 bytes")
    be(eof=True)
    ok(ask(port, request(one))[2] == want, "eof: end of stream ends the body")
    be(truncate=50)
    _, h, body = ask(port, request(one))
    ok(len(body) == 50 and int(h["content-length"]) == len(want), "truncate")
    for when in ("connect", "request", "before", "headers", "body"):
        be(reset=when)
        try:
            c = Conn(port)
            c.s.sendall(request(one))
            while c.s.recv(65536):
                pass
            ok(False, "reset: " + when, "orderly end")
        except (ConnectionResetError, BrokenPipeError):
            ok(True, "reset: " + when)
    be(garbage=True)
    c = Conn(port)
    c.s.sendall(request(one))
    ok(not c.s.recv(100).startswith(b"HTTP"), "garbage")
    be(hang=True)
    c = Conn(port)
    c.s.sendall(request(one))
    c.s.settimeout(0.2)
    try:
        ok(not c.s.recv(1), "hang")
    except socket.timeout:
        ok(True, "hang")
    be()


def connections(port, journal):
    c = Conn(port)
    c.s.sendall(request("07-acquirelicense") * 5)
    ok([c.read()[0] for _ in range(5)] == [200] * 5, "five pipelined requests")
    many = [Conn(port) for _ in range(300)]
    for c in many:
        c.s.sendall(request("03-servercertify"))
    ok(all(c.read()[0] == 200 for c in many), "300 connections at once")
    c = Conn(port)
    data = request("03-servercertify", headers={"Expect": "100-continue"})
    cut = data.index(b"\r\n\r\n") + 4
    c.s.sendall(data[:cut])
    ok(c.s.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n", "100 Continue")
    c.s.sendall(data[cut:])
    ok(c.read()[0] == 200, "and the answer after it")
    with open(journal) as fh:
        last = json.loads(fh.readlines()[-1])
    m = M["03-servercertify"]
    ok(last["length"] == len(m["body"]) and last["verified"] == 5 and last["verdict"] == "ok"
       and last["operation"] == "Certify" and last["headers"]["expect"] == "100-continue",
       "the journal holds it", last)


def tls(port, cert):
    import ssl
    raw = socket.create_connection((ADDR, port), timeout=10)
    ctx = ssl.create_default_context(cafile=cert)
    c = Conn.__new__(Conn)
    c.s = ctx.wrap_socket(raw, server_hostname="tenant.rms.test")
    c.f = c.s.makefile("rb")
    c.s.sendall(request("09-acquiretemplateinformation", headers={"Host": "tenant.rms.test", "Authorization": "Bearer one"}))
    ok(c.read()[0] == 200, "TLS listener")


def main():
    with tempfile.TemporaryDirectory(prefix="standin.") as tmp:
        cert, key = os.path.join(tmp, "c.pem"), os.path.join(tmp, "k.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=tenant.rms.test", "-addext",
                        "subjectAltName=DNS:tenant.rms.test", "-keyout", key, "-out", cert],
                       check=True, stderr=subprocess.DEVNULL)
        a, b, t, ctl = (free_port() for _ in range(4))
        journal = os.path.join(tmp, "journal")
        ident = {"kind": "azure", "addr": ADDR, "require_authorization": "Bearer one"}
        conf = {"journal": journal, "control": {"addr": ADDR, "port": ctl}, "listeners": [
            {"kind": "adrms", "addr": ADDR, "port": a, "base": BASE},
            dict(ident, port=b, base=BASE),
            dict(ident, port=t, name="tls", base="https://tenant.rms.test/_wmcs", tls={"cert": cert, "key": key})]}
        path = os.path.join(tmp, "conf.json")
        with open(path, "w") as fh:
            json.dump(conf, fh)
        p = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "standin.py"), "--config", path],
                             stdout=subprocess.PIPE, text=True)
        try:
            ok(p.stdout.readline() == "ready\n", "starts")
            samples_answered(a)
            strictness(a)
            all_flips_matter(a)
            identity(b, ctl)
            licensors(a, ctl)
            misbehaviour(a, ctl)
            connections(a, journal)
            tls(t, cert)
        finally:
            p.terminate()
            ok(p.wait(10) == 0, "ends on SIGTERM")
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
