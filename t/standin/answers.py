"""answers.py - which sample answers which request."""
import json
import os
import re

import rules

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples")
NORTHQUAY = "07e-acquirelicense-othercluster"
# a request that no sample equals gets the first sample of its operation
PLAIN = {"Certify": "02-certify", "AcquireLicense": "07-acquirelicense"}
TYPES = {"1.1": "text/xml; charset=utf-8",
         "1.2": "application/soap+xml; charset=utf-8"}


def load(name):
    with open(os.path.join(SAMPLES, name), "rb") as fh:
        return fh.read()


class Store:
    """The samples, read once."""

    def __init__(self):
        self.manifest = json.loads(load("manifest.json"))
        self.by_body, self.by_operation, self.by_name = {}, {}, {}
        for m in self.manifest["messages"]:
            m["body"] = load(m["request"])
            m["answer"] = load(m["response"]) if m["response"] else None
            self.by_name[m["name"]] = m
            self.by_body[m["body"]] = m
            self.by_operation.setdefault((m["operation"], m["soap"]), m)
        self.foreign = self.licensor(NORTHQUAY)
        self.own = sorted({self.licensor(n) for n in self.by_name} - {None, self.foreign})

    def licensor(self, name):
        docs = [x for _, x, _ in rules.check.xrml(self.by_name[name]["body"].decode())]
        return rules.licensor_of(docs)


STORE = Store()


class Answer:
    def __init__(self, status, body, content_type):
        self.status, self.body, self.content_type = status, body, content_type


def to_soap12(body):
    """A SOAP 1.1 sample as SOAP 1.2: only the namespace of the envelope differs."""
    return body.replace(rules.SOAP11.encode(), rules.SOAP12.encode(), 1)


def fault(name, soap="1.1"):
    """A fault of the samples; 1.2 from its own sample or rebuilt from the 1.1 one."""
    if soap == "1.1":
        return Answer(500, load(name + ".xml"), TYPES["1.1"])
    if os.path.exists(os.path.join(SAMPLES, name + "-soap12.xml")):
        return Answer(500, load(name + "-soap12.xml"), TYPES["1.2"])
    return Answer(500, fault12(load(name + ".xml")), TYPES["1.2"])


def fault12(body11):
    text = re.search(rb"<faultstring>(.*?)</faultstring>", body11, re.S).group(1)
    return re.sub(rb"(Reason><soap:Text xml:lang=\"en\">).*?(</soap:Text>)",
                  lambda m: m.group(1) + text + m.group(2),
                  load("fault-onlinepublishingdisabled-soap12.xml"), flags=re.S)


class Answers:
    def __init__(self, conf):
        given = conf.get("licensor") or STORE.own
        given = [given] if isinstance(given, str) else given
        self.licensors = {g.strip("{}").lower() for g in given}
        self.rebase = conf.get("rebase")

    def find(self, verdict, body):
        """The answer of a healthy server that holds the keys of self.licensors."""
        if verdict.operation in ("AcquireLicense", "AcquirePreLicense") \
                and verdict.licensor not in self.licensors:
            wrong = STORE.by_name[NORTHQUAY]["answer"]
            soap = verdict.soap or "1.1"
            return Answer(500, wrong if soap == "1.1" else fault12(wrong), TYPES[soap])
        m = STORE.by_body.get(body)
        if m is None or m["answer"] is None or m["name"] == NORTHQUAY \
                or m["operation"] != verdict.operation:
            m = self.plain(verdict)
        if m is None:
            return fault("fault-unspecified", verdict.soap or "1.1")
        out = m["answer"]
        if verdict.soap == "1.2" and m["soap"] == "1.1":
            out = to_soap12(out)
        if self.rebase and verdict.operation in rules.REWRITTEN:
            out = rebase(out, self.rebase)
        return Answer(m["status"], out, TYPES[verdict.soap or "1.1"])

    @staticmethod
    def plain(verdict):
        op = verdict.operation
        for soap in (verdict.soap, "1.1"):
            m = STORE.by_operation.get((op, soap))
            if soap == "1.1" and op in PLAIN:
                m = STORE.by_name[PLAIN[op]]
            if m is not None and m["answer"] is not None:
                return m
        return None


def rebase(body, base):
    """Moves the unsigned addresses of an answer to another base; XrML stays."""
    known = [b.encode() for b in STORE.manifest["backend_bases"]]

    def move(part):
        for old in known:
            part = part.replace(old, base.encode())
        return part
    parts = re.split(rb"(<XrML[\s>].*?</XrML>)", body, flags=re.S)
    return b"".join(p if i % 2 else move(p) for i, p in enumerate(parts))
