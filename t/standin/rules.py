"""rules.py - what the stand-in demands of a request.  Pure functions, no sockets.

Violation codes: method version path query duplicate host forbidden-header
content-length transfer-encoding content-type charset soapaction accept-encoding
authorization xml doctype envelope body-child signature unsigned
"""
import functools
import hashlib
import os
import re
import sys
import urllib.parse
import xml.parsers.expat

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples"))

import check        # noqa: E402

B = "http://microsoft.com/DRM/"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"

# canonical path below the base -> { operation: service }.  [MS-RMPR] 3.1.4.2
# leaves the letter case to the server; these are the spellings of the
# specifications, and a backend that is not IIS knows no others.
_CERTIFY = {"Certify": "CertificationService"}
_LOCATE = {"FindServiceLocationsForUser": "ServerService"}
_LICENSE = {"AcquireLicense": "LicensingService"}
_PUBLISH = {"AcquireIssuanceLicense": "PublishingService",
            "GetClientLicensorCert": "PublishingService"}
_SERVER = {op: "ServerService" for op in
           ("FindServiceLocations", "GetLicensorCertificate", "GetServerInfo")}
ENDPOINTS = {
    "/certification/certification.asmx": _CERTIFY,
    "/certification/ServerCertification.asmx": _CERTIFY,
    "/certification/MobileCertification.asmx": _CERTIFY,
    "/certification/MobileDeviceCertification.asmx": _CERTIFY,
    "/certification/MacCertification.asmx": _CERTIFY,
    "/certificationexternal/certification.asmx": _CERTIFY,
    "/certification/Precertification.asmx": {"Precertify": "CertificationService"},
    "/licensing/license.asmx": dict(_LICENSE, AcquirePreLicense="LicensingService"),
    "/licensingexternal/license.asmx": _LICENSE,
    "/licensing/publish.asmx": _PUBLISH,
    "/licensingexternal/publish.asmx": _PUBLISH,
    "/licensing/editissuancelicense.asmx":
        {"EditIssuanceLicense": "EditIssuanceLicenseService"},
    "/licensing/templateDistribution.asmx":
        {"AcquireTemplateInformation": "TemplateDistributionService",
         "AcquireTemplates": "TemplateDistributionService"},
    "/certification/ServiceLocator.asmx": _LOCATE,
    "/licensing/ServiceLocator.asmx": _LOCATE,
    "/certificationexternal/ServiceLocator.asmx": _LOCATE,
    "/licensingexternal/ServiceLocator.asmx": _LOCATE,
    "/certification/server.asmx": _SERVER,
    "/licensing/server.asmx": _SERVER,
    "/certificationexternal/server.asmx": {"GetLicensorCertificate": "ServerService"},
    "/licensingexternal/server.asmx": {"GetLicensorCertificate": "ServerService"},
    "/groupexpansion/GroupExpansion.asmx":
        {"IsPrincipalMemberOf": "GroupExpansionWebService"},
}
REWRITTEN = ("FindServiceLocationsForUser", "FindServiceLocations", "GetServerInfo")
UNSIGNED_ALLOWED = ("AcquireIssuanceLicense", "EditIssuanceLicense")
SINGLE = ("host", "content-length", "content-type", "soapaction", "authorization")
FORBIDDEN = ("range", "if-range", "proxy-authorization", "content-encoding", "te",
             "upgrade", "trailer")


class Verdict:
    """What was found; violation is None for a request that is as it should be."""

    def __init__(self, violation=None, detail=""):
        self.violation, self.detail = violation, detail
        self.operation = self.soap = self.licensor = None
        self.children = self.verified = self.unsigned = 0
        self.tolerated = []


class Violation(Exception):
    def __init__(self, code, detail=""):
        super().__init__(code, detail)
        self.code = code
        self.detail = re.sub(r"[^\x20-\x7e]", "?", str(detail))[:200]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def values(pairs, name):
    return [v for k, v in pairs if k.lower() == name]


def last(pairs, name):
    found = values(pairs, name)
    return found[-1] if found else ""


def media_type(text):
    """(type, {parameter: value}); parameters may be quoted strings."""
    kind, *rest = re.split(r";(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text)
    params = {}
    for part in rest:
        name, _, value = part.strip().partition("=")
        params[name.strip().lower()] = value.strip()
    return kind.strip().lower(), params


class _Scan:
    """Namespace-aware walk to the Body: Envelope namespace and Body children."""

    def __init__(self, body):
        self.path, self.envelope, self.children = [], None, []
        p = xml.parsers.expat.ParserCreate(namespace_separator="}")
        p.StartElementHandler = self.start
        p.EndElementHandler = lambda name: self.path.pop()
        p.StartDoctypeDeclHandler = self.doctype
        try:
            p.Parse(body, True)
        except xml.parsers.expat.ExpatError as e:
            raise Violation("xml", e)

    @staticmethod
    def doctype(*_):
        raise Violation("doctype")

    def start(self, name, _):
        if not self.path:
            self.envelope = name
        if len(self.path) == 2 and self.path[1].endswith("}Body"):
            self.children.append(name)
        self.path.append(name)


def licensor_of(docs):
    """GUID of the cluster the first publishing licence was issued to."""
    for doc in docs:
        if '<BODY type="Microsoft Rights Label"' in doc:
            m = re.search(r"<ISSUEDPRINCIPALS>.*?<ID type=\"MS-GUID\">\{?([0-9A-Fa-f-]{36})", doc, re.S)
            return m.group(1).lower() if m else None
    return None


@functools.lru_cache(maxsize=512)
def examine(body):
    """(scan, verified, unsigned, licensor) of a body; raises Violation."""
    scan = _Scan(body)
    try:
        docs = [x for _, x, _ in check.xrml(body.decode("utf-8"))]
    except UnicodeDecodeError as e:
        raise Violation("xml", e)
    verified = unsigned = 0
    for i, doc in enumerate(docs):
        try:
            good = check.verify(doc)
        except (AttributeError, ValueError, TypeError, KeyError, OverflowError) as e:
            raise Violation("signature", "XrML %d: %s" % (i, e))
        if good is False:
            raise Violation("signature", "XrML %d does not verify" % i)
        verified += good is True
        unsigned += good is None
    return scan, verified, unsigned, licensor_of(docs)


class Rules:
    def __init__(self, conf):
        base = urllib.parse.urlsplit(conf["base"])
        self.prefix = base.path.rstrip("/")
        hosts = conf.get("require_host", base.netloc)
        self.hosts = [hosts] if isinstance(hosts, str) else (hosts or [])
        self.authorization = conf.get("require_authorization")
        self.encoding = conf.get("accept_encoding", "rewritten")
        self.allow = set(conf.get("allow", ()))

    def judge(self, method, target, version, pairs, body):
        v = Verdict()
        steps = (lambda: self.line(v, method, target, version),
                 lambda: self.headers(pairs),
                 lambda: self.identity(pairs),
                 lambda: self.length(pairs, body),
                 lambda: self.charset(pairs),
                 lambda: self.action(v, pairs, self.operations(target)),
                 lambda: self.coding(v, pairs),
                 lambda: self.message(v, body, self.operations(target)))
        for step in steps:
            try:
                step()
            except Violation as e:
                if e.code not in self.allow:
                    v.violation, v.detail = e.code, e.detail
                    break
                v.tolerated.append(e.code)
        return v

    def operations(self, target):
        if not target.startswith(self.prefix + "/"):
            return {}
        return ENDPOINTS.get(target[len(self.prefix):], {})

    def line(self, v, method, target, version):
        if "?" in target or "#" in target:
            raise Violation("query", target)
        if not self.operations(target):
            raise Violation("path", target)
        if method != "POST":
            raise Violation("method", method)
        if version != "HTTP/1.1":
            raise Violation("version", version)

    def headers(self, pairs):
        for name in SINGLE:
            if len(values(pairs, name)) > 1:
                raise Violation("duplicate", name)
        for name in FORBIDDEN:
            if values(pairs, name):
                raise Violation("forbidden-header", name)
        host = last(pairs, "host")
        if self.hosts and host not in self.hosts:
            raise Violation("host", host)

    def identity(self, pairs):
        found = values(pairs, "authorization")
        want = [] if self.authorization is None else [self.authorization]
        if found != want:
            raise Violation("authorization", "%d header(s), %s" % (
                len(found), "none wanted" if not want else "not the identity"))

    @staticmethod
    def length(pairs, body):
        if values(pairs, "transfer-encoding"):
            raise Violation("transfer-encoding", last(pairs, "transfer-encoding"))
        if last(pairs, "content-length") != str(len(body)):
            raise Violation("content-length", last(pairs, "content-length"))

    @staticmethod
    def charset(pairs):
        kind, params = media_type(last(pairs, "content-type"))
        if kind not in ("text/xml", "application/soap+xml"):
            raise Violation("content-type", kind)
        if params.get("charset", "").strip('"').lower() != "utf-8":
            raise Violation("charset", params.get("charset", "missing"))

    @staticmethod
    def action(v, pairs, operations):
        kind, params = media_type(last(pairs, "content-type"))
        header = values(pairs, "soapaction")
        v.soap = "1.2" if kind == "application/soap+xml" else "1.1"
        given = header[0] if v.soap == "1.1" and header else params.get("action", "")
        if v.soap == "1.2" and header and header[0] != given:
            raise Violation("soapaction", "header and parameter differ")
        for op, service in operations.items():
            if given == '"%s%s/%s"' % (B, service, op):
                v.operation = op
                return
        raise Violation("soapaction", given)

    def coding(self, v, pairs):
        strict = self.encoding == "identity" or (
            self.encoding == "rewritten" and v.operation in REWRITTEN)
        given = last(pairs, "accept-encoding")
        if strict and given not in ("", "identity"):
            raise Violation("accept-encoding", given)

    @staticmethod
    def message(v, body, operations):
        scan, v.verified, v.unsigned, v.licensor = examine(body)
        v.children = len(scan.children)
        if scan.envelope != (SOAP12 if v.soap == "1.2" else SOAP11) + "}Envelope":
            raise Violation("envelope", scan.envelope)
        want = "%s%s}%s" % (B, operations.get(v.operation), v.operation)
        if not scan.children or scan.children[0] != want:
            raise Violation("body-child", (scan.children or ["none"])[0])
        if v.unsigned and v.operation not in UNSIGNED_ALLOWED:
            raise Violation("unsigned", "%d XrML without signature" % v.unsigned)
