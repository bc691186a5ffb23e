#!/usr/bin/env python3
"""gen.py - synthetic RMS (MS-RMPR / MS-RMPRS / MS-RMSI) sample messages.

Everything here is invented: hosts end in .example, GUIDs, SIDs, e-mail
addresses, base64 and RSA keys come from a fixed random seed.  THE KEYS ARE
PREDICTABLE ON PURPOSE - never use them for anything but tests.

    python3 gen.py            write the normal sample set next to this file
    python3 gen.py --big DIR  write the large messages (about 1 MB each) to DIR
    python3 gen.py --http DIR write every normal sample as a raw HTTP message

The XrML certificates are really signed, the way the examples of MS-RMPR
section 4.5 turn out to be signed:
  digest    = H( UTF-16LE( literal text of <BODY ...>...</BODY> ) )
  signature = RSASSA-PKCS1-v1_5 over that digest, big-endian, base64
  modulus   = base64 of the LITTLE-endian modulus
so check.py can prove that a relay did not change one character of them.
Standard library only.
"""
import base64
import hashlib
import json
import os
import random
import sys
import uuid
from xml.sax.saxutils import escape

SEED = 20250304
RNG = random.Random(SEED)
HERE = os.path.dirname(os.path.abspath(__file__))

# ------------------------------------------------------------------ the world
INT_BASE = "http://rms01.corp.harbourline.example/_wmcs"        # backend, intranet
EXT_BASE = "https://rights.harbourline.example/_wmcs"           # backend, extranet
RELAY_BASE = "https://rights-gateway.edge.harbourline.example/_wmcs"   # the relay under test (other length on purpose)
OTHER_BASE = "https://rms.northquay.example/_wmcs"              # a cluster of another forest
REF_MAIL = "mailto:rights-helpdesk@harbourline.example"

NS = {k: "http://microsoft.com/DRM/" + k for k in (
    "ActivationService", "CertificationService", "LicensingService",
    "PublishingService", "ServerService", "TemplateDistributionService",
    "EditIssuanceLicenseService", "DecommissionService",
    "SubEnrollmentService", "GroupExpansionWebService")}
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"

USERS = [("anna.lindqvist@harbourline.example", "S-1-5-21-1804289383-846930886-1681692777-2104"),
         ("bao.nguyen@harbourline.example", "S-1-5-21-1804289383-846930886-1681692777-2117"),
         ("carla.felix@harbourline.example", "S-1-5-21-1804289383-846930886-1681692777-2188")]
SVC = ("svc-exch07@harbourline.example", "S-1-5-21-1804289383-846930886-1681692777-1155")


def guid():
    return "{%s}" % str(uuid.UUID(int=RNG.getrandbits(128), version=4))


def b64(n):
    return base64.b64encode(RNG.randbytes(n)).decode()


# ------------------------------------------------------------------------ RSA
_SMALL = [p for p in range(3, 2000) if all(p % q for q in range(2, int(p ** .5) + 1))]


def _prime(bits):
    while True:
        c = RNG.getrandbits(bits) | (3 << (bits - 2)) | 1
        if any(c % p == 0 for p in _SMALL) or c % 65537 == 1:
            continue
        d, s = c - 1, 0
        while d % 2 == 0:
            d, s = d // 2, s + 1
        for _ in range(6):
            x = pow(RNG.randrange(2, c - 2), d, c)
            if x in (1, c - 1):
                continue
            for _ in range(s - 1):
                x = x * x % c
                if x == c - 1:
                    break
            else:
                break
        else:
            return c


class Key:
    """RSA key; public-only when d is None (random odd modulus, good enough for a subject)."""

    def __init__(self, bits, sign=True):
        self.bits = bits
        if sign:
            p, q = _prime(bits // 2), _prime(bits // 2)
            self.n = p * q
            self.d = pow(65537, -1, (p - 1) * (q - 1))
            self.crt = p, q, self.d % (p - 1), self.d % (q - 1), pow(q, -1, p)
        else:
            self.n = RNG.getrandbits(bits) | (1 << (bits - 1)) | 1
            self.d = None

    def xml(self):
        mod = base64.b64encode(self.n.to_bytes(self.bits // 8, "little")).decode()
        return ('<PUBLICKEY><ALGORITHM>RSA</ALGORITHM><PARAMETER name="public-exponent">'
                '<VALUE encoding="integer32">65537</VALUE></PARAMETER><PARAMETER name="modulus">'
                '<VALUE encoding="base64" size="%d">%s</VALUE></PARAMETER></PUBLICKEY>' % (self.bits, mod))

    def pkcs1(self):
        def der(tag, b):
            ln = len(b)
            if ln < 128:
                head = bytes([ln])
            else:
                lb = ln.to_bytes((ln.bit_length() + 7) // 8, "big")
                head = bytes([0x80 | len(lb)]) + lb
            return bytes([tag]) + head + b

        def num(v):
            b = v.to_bytes((v.bit_length() + 8) // 8, "big")
            return der(2, b)
        return base64.b64encode(der(0x30, num(self.n) + num(65537))).decode()

    def sign(self, digest, alg):
        info = {"sha1": "3021300906052b0e03021a05000414",
                "sha256": "3031300d060960864801650304020105000420"}[alg]
        t = bytes.fromhex(info) + digest
        k = self.bits // 8
        em = b"\0\1" + b"\xff" * (k - 3 - len(t)) + b"\0" + t
        m, (p, q, dp, dq, inverse) = int.from_bytes(em, "big"), self.crt
        low = pow(m, dq, q)
        sig = low + q * ((pow(m, dp, p) - low) * inverse % p)
        return base64.b64encode(sig.to_bytes(k, "big")).decode()


# ----------------------------------------------------------------------- XrML
def obj(typ, idtype, ident, name=None, address=None, atype="URL"):
    s = '<OBJECT type="%s">' % typ if typ else "<OBJECT>"
    s += '<ID type="%s">%s</ID>' % (idtype, escape(ident)) if ident else '<ID type="%s" />' % idtype
    if name:
        s += "<NAME>%s</NAME>" % escape(name)
    if address:
        s += '<ADDRESS type="%s">%s</ADDRESS>' % (atype, escape(address))
    return s + "</OBJECT>"


def dp(typ, ident, name, address):
    return "<DISTRIBUTIONPOINT>%s</DISTRIBUTIONPOINT>" % obj(typ, "MS-GUID", ident, name, address)


def seclevel(name, value):
    return '<SECURITYLEVEL name="%s" value="%s" />' % (name, escape(value))


def bits(nbytes, typ):
    v = b64(nbytes)
    return '<ENABLINGBITS type="%s"><VALUE encoding="base64" size="%d">%s</VALUE></ENABLINGBITS>' % (typ, nbytes * 8, v)


def when(t):
    return "<ISSUEDTIME>%s</ISSUEDTIME>" % t


def seal(body, key, alg, purpose=None, client_order=False, xmlns_first=True):
    """Sign a BODY and wrap it.  client_order: ALGORITHM precedes DIGEST, as in client-made PLs."""
    dg = hashlib.new(alg, body.encode("utf-16-le")).digest()
    digest = ('<DIGEST><ALGORITHM>%s</ALGORITHM><PARAMETER name="codingtype"><VALUE encoding="string">'
              'surface-coding</VALUE></PARAMETER><VALUE encoding="base64" size="%d">%s</VALUE></DIGEST>'
              % ({"sha1": "SHA1", "sha256": "SHA256"}[alg], len(dg) * 8, base64.b64encode(dg).decode()))
    algo = "<ALGORITHM>RSA PKCS#1-V1.5</ALGORITHM>"
    val = '<VALUE encoding="base64" size="%d">%s</VALUE>' % (key.bits, key.sign(dg, alg))
    sig = "<SIGNATURE>%s%s</SIGNATURE>" % ((algo + digest) if client_order else (digest + algo), val)
    at = 'xmlns="" version="1.2"' if xmlns_first else 'version="1.2" xmlns=""'
    if purpose:
        at += ' purpose="%s"' % purpose
    return "<XrML %s>%s%s</XrML>" % (at, body, sig)


class Ident:
    """An issuing identity: OBJECT + key + extra ISSUER children."""

    def __init__(self, o, key, extra=""):
        self.o, self.key, self.extra = o, key, extra

    def issuer(self):
        return "<ISSUER>%s%s%s</ISSUER>" % (self.o, self.key.xml(), self.extra)

    def principal(self, inner=""):
        return ('<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">%s%s%s%s</PRINCIPAL></ISSUEDPRINCIPALS>'
                % (self.o, self.key.xml(), self.extra, inner))


def issuing_cert(desc, subj, by, alg, t="2019-05-06T09:00"):
    d = obj(desc, "MS-GUID", guid())
    body = ('<BODY type="LICENSE" version="3.0">' + when(t) +
            "<VALIDITYTIME><FROM>2019-05-05T09:00</FROM><UNTIL>2044-05-06T09:00</UNTIL></VALIDITYTIME>" +
            "<DESCRIPTOR>%s</DESCRIPTOR>" % d + by.issuer() + subj.principal() +
            "<WORK>%s<RIGHTSGROUP name=\"Main-Rights\"><RIGHTSLIST><RIGHT name=\"ISSUE\"><CONDITIONLIST><TIME>"
            "<RANGETIME><FROM>2019-05-05T09:00</FROM><UNTIL>2044-05-06T09:00</UNTIL></RANGETIME></TIME><ACCESS>"
            "<PRINCIPAL internal-id=\"1\" /></ACCESS></CONDITIONLIST></RIGHT></RIGHTSLIST></RIGHTSGROUP></WORK>" % d +
            "</BODY>")
    return seal(body, by.key, alg)


class Hierarchy:
    """CA <- Enrollment CA <- Enrollment Service, and the security-processor branch."""

    def __init__(self, alg, bits_):
        self.alg, self.bits = alg, bits_
        k = lambda: Key(bits_)
        root = Ident(obj("DRM-Certificate-Authority", "ascii-tag", "Synthetic DRM Root", "Synthetic DRM Root"), k())
        ca = Ident(obj("DRM-Certificate-Authority", "ascii-tag", "Synthetic DRM CA", "Synthetic DRM CA"), k())
        eca = Ident(obj("DRM-Certificate-Authority", "ascii-tag", "Synthetic DRM Server Enrollment CA",
                        "Synthetic DRM Server Enrollment CA"), k())
        self.es = Ident(obj("MS-DRM-Server", "MS-GUID", guid(), "Synthetic DRM Server Self Enrollment Service"), k())
        self.ca_cert = issuing_cert("DRM-CA-Certificate", ca, root, alg)
        self.eca_cert = issuing_cert("DRM-CA-Certificate", eca, ca, alg)
        self.es_cert = issuing_cert("Server-Licensor-Certificate", self.es, eca, alg)
        ica = Ident(obj("DRM-Certificate-Authority", "ascii-tag", "Synthetic DRM Machine Activation Server CA",
                        "Synthetic DRM Machine Activation Server CA"), k())
        sca = Ident(obj("DRM-Desktop-Security-Processor-Certificate-Authority", "MS-GUID", guid(),
                        "Synthetic DRM Machine Activation Desktop Security Processor CA"), k())
        self.si = Ident(obj("MS-DRM-Desktop-Security-Processor", "MS-GUID", guid(),
                            "Synthetic DRM Desktop Security Processor Activation Certificate"), k())
        self.ica_cert = issuing_cert("DRM-CA-Certificate", ica, ca, alg)
        self.sca_cert = issuing_cert("DRM-CA-Certificate", sca, ica, alg)
        self.si_cert = issuing_cert("Server-Licensor-Certificate", self.si, sca, alg)

    def spc_chain(self, machine):
        o = obj("Machine-Unique-Identifier", "MS-GUID", machine, "Machine")
        body = ('<BODY type="LICENSE" version="3.0">' + when("2025-02-11T07:41") +
                "<DESCRIPTOR>%s</DESCRIPTOR>" % obj("Machine-Certificate", "MS-GUID", guid().upper(),
                                                    "Microsoft Machine-Certificate") +
                self.si.issuer() +
                dp("Activation", "{99F48562-703E-4E7D-9175-DD69C66921B7}", "Microsoft Activation",
                   "file:///rmactivate.exe") +
                "<ISSUEDPRINCIPALS><PRINCIPAL>" + o + Key(self.bits, sign=False).xml() +
                '<DIGEST><ALGORITHM>%s</ALGORITHM><PARAMETER name="codingtype"><VALUE encoding="string">surface-coding'
                '</VALUE></PARAMETER><VALUE encoding="base64" size="%d">%s</VALUE></DIGEST>'
                % (("SHA1", 160, b64(64)) if self.alg == "sha1" else ("SHA256", 256, b64(76))) +
                seclevel("Platform", "2.10.0.19045") +
                seclevel("Manufacturer", "Synthetic Test Works DLL 1.0.0.0 (Desktop Security Processor)") +
                seclevel("Repository", "Synthetic Test Works secure repository 1.0.0.0") +
                "</PRINCIPAL></ISSUEDPRINCIPALS></BODY>")
        return [seal(body, self.si.key, self.alg, xmlns_first=False), self.si_cert, self.sca_cert,
                self.ica_cert, self.ca_cert]


class Cluster:
    def __init__(self, hier, name, int_base, ext_base, sku="RMS 2.0"):
        self.h, self.name, self.int, self.ext = hier, name, int_base, ext_base
        self.alg = hier.alg
        self.sealed = "sealed-key" if hier.alg == "sha1" else "sealed-key-v2"
        self.guid = guid()
        self.id = Ident(obj("MS-DRM-Server", "MS-GUID", self.guid, name, int_base.replace("http://", "HTTP://", 1)
                            .replace(".example/", ".example:80/", 1) if int_base.startswith("http://") else int_base),
                        Key(hier.bits), seclevel("Server-Version", "6.3.0.0") + seclevel("Server-SKU", sku))
        self.slc = issuing_cert("Server-Licensor-Certificate", self.id, hier.es, hier.alg, "2021-09-14T12:30")

    def slc_chain(self):
        return [self.slc, self.h.es_cert, self.h.eca_cert, self.h.ca_cert]

    def _person(self, mail, sid, idtype="Windows"):
        return obj("Group-Identity", idtype, sid, mail)

    def rac(self, mail, sid, machine=None, temporary=False, key=None):
        """machine=None gives the Precertify form (no FEDERATIONPRINCIPALS)."""
        key = key or Key(self.h.bits, sign=False)
        dps = dp("Activation", "{8BA9EA80-99E4-4a2b-9764-4CD84F77C3A0}", "Microsoft Identity Certification Server",
                 self.int + "/certification")
        if self.ext:
            dps += dp("Extranet-Activation", "{8BA9EA80-99E4-4a2b-9764-4CD84F77C3A0}",
                      "Microsoft Identity Certification Server", self.ext + "/certification")
        fed = ""
        if machine:
            fed = ("<FEDERATIONPRINCIPALS><PRINCIPAL>" + obj("Machine-Unique-Identifier", "MS-GUID", machine, "Machine") +
                   bits(768 if self.h.bits == 1024 else 1472, self.sealed) +
                   seclevel("Manufacturer", "Synthetic Test Works DLL 1.0.0.0 (Desktop Security Processor)") +
                   seclevel("Platform", "2.10.0.19045") +
                   seclevel("Repository", "Synthetic Test Works secure repository 1.0.0.0") +
                   "</PRINCIPAL></FEDERATIONPRINCIPALS>")
        until = "2025-03-04T10:30" if temporary else "2026-03-04T10:15"
        body = ('<BODY type="LICENSE" version="3.0">' + when("2025-03-04T10:15") +
                "<VALIDITYTIME><FROM>2025-03-04T10:00</FROM><UNTIL>%s</UNTIL></VALIDITYTIME>" % until +
                "<DESCRIPTOR>%s</DESCRIPTOR>" % obj("Group-Identity-Credential", "MS-GUID", guid()) +
                self.id.issuer() + dps +
                '<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">' + self._person(mail, sid) + key.xml() +
                seclevel("Group-Identity-Credential-Type", "Temporary" if temporary else "Persistent") +
                seclevel("Group-Identity-Type", "Group") +
                seclevel("Group-Identity-Policy", "Group-Identity-Credential") +
                "</PRINCIPAL></ISSUEDPRINCIPALS>" + fed + "</BODY>")
        return seal(body, self.id.key, self.alg)

    def rac_chain(self, *a, **k):
        return [self.rac(*a, **k)] + self.slc_chain()

    def lic_dps(self):
        s = dp("License-Acquisition-URL", "{0F45FD50-383B-43EE-90A4-ED013CD0CFE5}", "DRM Server Cluster",
               self.int + "/licensing")
        if self.ext:
            s += dp("Extranet-License-Acquisition-URL", "{94BF969A-CA04-44d6-AA96-51071281FEF2}",
                    "DRM Server Cluster", self.ext + "/licensing")
        return s

    def clc(self, mail, sid, key):
        d = obj("Client-Licensor-Certificate", "MS-GUID", guid())
        body = ('<BODY type="LICENSE" version="3.0">' + when("2025-03-04T10:16") + "<DESCRIPTOR>%s</DESCRIPTOR>" % d +
                self.id.issuer() + self.lic_dps() + '<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">' +
                self._person(mail, sid) + key.xml() + "</PRINCIPAL></ISSUEDPRINCIPALS><WORK>" + d +
                '<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST><RIGHT name="ISSUE"><CONDITIONLIST><TIME><RANGETIME>'
                "<FROM>2025-03-04T10:00</FROM><UNTIL>2026-03-04T10:15</UNTIL></RANGETIME></TIME><ACCESS>"
                '<PRINCIPAL internal-id="1">' + bits(768 if self.h.bits == 1024 else 1472, self.sealed) +
                "</PRINCIPAL></ACCESS></CONDITIONLIST></RIGHT></RIGHTSLIST></RIGHTSGROUP></WORK></BODY>")
        return seal(body, self.id.key, self.alg)

    def pl_body(self, issuer, owner, rights_bytes=6800, dps=None, extra=""):
        return ('<BODY type="Microsoft Rights Label" version="3.0">' + when("2025-03-05T08:02") + issuer +
                (self.lic_dps() if dps is None else dps) +
                self.id.principal(bits(192 if self.h.bits == 1024 else 320, self.sealed)) +
                dp("Referral-Info", guid().upper(), owner, REF_MAIL) +
                "<WORK>" + obj("", "MS-GUID", guid().upper()) +
                "<METADATA><OWNER>" + obj("", "Windows", "", owner) + "</OWNER></METADATA></WORK>" +
                '<AUTHENTICATEDDATA id="Encrypted-Rights-Data">%s</AUTHENTICATEDDATA>' % b64(rights_bytes) +
                extra + "</BODY>")

    def pl_offline(self, mail, sid, clc_key, rights_bytes=6800):
        iss = "<ISSUER>%s%s%s</ISSUER>" % (self._person(mail, sid), clc_key.xml(), seclevel("SDK", "10.0.19041.1"))
        return seal(self.pl_body(iss, mail, rights_bytes), clc_key, self.alg, client_order=True, xmlns_first=False)

    def pl_online(self, mail, rights_bytes=6800):
        return seal(self.pl_body(self.id.issuer(), mail, rights_bytes), self.id.key, self.alg, client_order=True,
                    xmlns_first=False)

    def pl_unsigned(self, mail, rights_bytes=6800):
        """What a client submits to AcquireIssuanceLicense: no SIGNATURE, no licensing DPs yet."""
        iss = "<ISSUER>%s</ISSUER>" % obj("Group-Identity", "Windows", "", mail)
        return '<XrML version="1.2" xmlns="">%s</XrML>' % self.pl_body(iss, mail, rights_bytes, dps="")

    def ul(self, mail, sid, key=None, owner=None, rights=("VIEW", "PRINT", "EDIT")):
        key = key or Key(self.h.bits, sign=False)
        owner = owner or mail
        eb = bits(192 if self.h.bits == 1024 else 320, self.sealed)
        rl = "".join("<%s><CONDITIONLIST><ACCESS><PRINCIPAL internal-id=\"1\">%s</PRINCIPAL></ACCESS></CONDITIONLIST></%s>"
                     % (r, eb, r) for r in rights)
        body = ('<BODY type="LICENSE" version="3.0">' + when("2025-03-05T08:10") +
                "<DESCRIPTOR>%s</DESCRIPTOR>" % obj("Content-License", "MS-GUID", guid()) + self.id.issuer() +
                '<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">' + self._person(mail, sid) + key.xml() +
                "</PRINCIPAL></ISSUEDPRINCIPALS>" + dp("Referral-Info", guid().upper(), owner, REF_MAIL) +
                "<WORK>" + obj("", "MS-GUID", guid().upper()) + "<METADATA><OWNER>" + obj("", "Windows", "", owner) +
                "</OWNER></METADATA><RIGHTSGROUP name=\"Main-Rights\"><RIGHTSLIST>" + rl +
                "</RIGHTSLIST></RIGHTSGROUP></WORK></BODY>")
        return seal(body, self.id.key, self.alg, purpose="Content-License")

    def template(self, name, desc):
        """Returns (guid, hash, xml); hash is the DIGEST VALUE of the SIGNATURE."""
        g = guid()
        def right(n, who):
            a = ("<CONDITIONLIST><ACCESS><PRINCIPAL>%s</PRINCIPAL></ACCESS></CONDITIONLIST>" % who)
            return ("<%s>%s</%s>" % (n, a, n)) if n in ("VIEW", "PRINT", "EDIT", "EXPORT", "EXTRACT") \
                else '<RIGHT name="%s">%s</RIGHT>' % (n, a)
        any_ = obj("", "Internal", "ANYONE")
        staff = obj("", "Unspecified", "", "all-staff@harbourline.example")
        body = ('<BODY type="Microsoft Official Rights Template">' + when("2024-11-20T13:05") +
                "<DESCRIPTOR>%s</DESCRIPTOR>" % obj("", "MS-GUID", g, "LCID 1033:NAME %s:DESCRIPTION %s;" % (name, desc)) +
                "<ISSUER>" + self.id.o + self.id.key.xml() + "</ISSUER>" +
                dp("Publishing-URL", "{9A23D98E-4449-4ba5-812A-F30808F3CB16}", "Publishing Point",
                   self.int + "/licensing") +
                "<DISTRIBUTIONPOINT>%s</DISTRIBUTIONPOINT>" % obj("Referral-Info", "MS-GUID", guid(), None, REF_MAIL) +
                "<WORK>" + '<OBJECT><ID type="" /></OBJECT>' + '<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST>' +
                right("OWNER", obj("", "Internal", "Owner")) + right("VIEW", any_) + right("VIEWRIGHTSDATA", any_) +
                right("OBJMODEL", any_) + right("PRINT", staff) + right("EDIT", staff) + right("EXTRACT", staff) +
                "</RIGHTSLIST></RIGHTSGROUP></WORK>" +
                '<AUTHENTICATEDDATA name="VIEWER" id="APPSPECIFIC">1</AUTHENTICATEDDATA>' +
                '<AUTHENTICATEDDATA name="NOLICCACHE" id="APPSPECIFIC">0</AUTHENTICATEDDATA></BODY>')
        x = seal(body, self.id.key, self.alg)
        h = x.split("</PARAMETER><VALUE encoding=\"base64\" size=\"%d\">"
                    % (160 if self.alg == "sha1" else 256))[-1].split("<")[0]
        return g, h, x


# ----------------------------------------------------------------------- SOAP
def env(ns, body, ver=("1.0.0.0", "1.0.0.0"), soap=SOAP11, pfx="soap", hdr_pfx=False):
    h = ""
    if ver:
        h = ('<%s:Header><VersionData xmlns="%s"><MinimumVersion>%s</MinimumVersion><MaximumVersion>%s'
             "</MaximumVersion></VersionData></%s:Header>" % (pfx, ns, ver[0], ver[1], pfx))
    return ('<?xml version="1.0" encoding="utf-8"?><%s:Envelope xmlns:%s="%s" xmlns:xsi="%s" xmlns:xsd="%s">%s'
            "<%s:Body>%s</%s:Body></%s:Envelope>" % (pfx, pfx, soap, XSI, XSD, h, pfx, body, pfx, pfx))


SRV = ("1.0.0.0", "1.2.0.0")


def certs(tag, chain):
    return "<%s>%s</%s>" % (tag, "".join("<Certificate>%s</Certificate>" % c for c in chain), tag)


def strings(tag, vals):
    return "<%s>%s</%s>" % (tag, "".join("<string>%s</string>" % escape(v) for v in vals), tag)


def fault11(text, code="soap:Server"):
    return env("", "<soap:Fault><faultcode>%s</faultcode><faultstring>%s</faultstring><detail /></soap:Fault>"
               % (code, escape(text)), ver=None)


def fault12(text, code="soap:Receiver"):
    return env("", "<soap:Fault><soap:Code><soap:Value>%s</soap:Value></soap:Code><soap:Reason><soap:Text "
               'xml:lang="en">%s</soap:Text></soap:Reason><soap:Detail /></soap:Fault>' % (code, escape(text)),
               ver=None, soap=SOAP12)


OUT, MANIFEST = {}, []


def add(name, op, svc, path, req, resp, cls, ro, auth="windows", rewrite=(), status=200, note="", soap="1.1",
        relayed=None, ro_fault=None):
    OUT[name + ".request.xml"] = req
    if resp is not None:
        OUT[name + ".response.xml"] = resp
    if relayed is not None:
        OUT[name + ".response.relayed.xml"] = relayed
    action = "%s/%s" % (NS[svc], op)
    hdr = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"%s"' % action}
    if soap == "1.2":
        hdr = {"Content-Type": 'application/soap+xml; charset=utf-8; action="%s"' % action}
    MANIFEST.append(dict(name=name, operation=op, namespace=NS[svc], soap=soap, method="POST", path=path,
                         headers=hdr, request=name + ".request.xml",
                         response=None if resp is None else name + ".response.xml",
                         relayed=None if relayed is None else name + ".response.relayed.xml", status=status,
                         content_type="text/xml; charset=utf-8" if soap == "1.1" else "application/soap+xml; charset=utf-8",
                         klass=cls, auth=auth, readonly=ro, readonly_fault=ro_fault, rewrite=list(rewrite), note=note,
                         request_bytes=len(req.encode()), response_bytes=None if resp is None else len(resp.encode())))


def relay_map(s):
    for a in (INT_BASE, EXT_BASE, INT_BASE.replace("http://", "HTTP://").replace(".example/", ".example:80/")):
        s = s.replace(a, RELAY_BASE)
    return s


OPD = "Microsoft.DigitalRightsManagement.Licensing.OnlinePublishingDisabledException"


def world():
    w = type("W", (), {})()
    w.h2 = Hierarchy("sha256", 2048)
    w.a = Cluster(w.h2, "HARBOURLINE-RMS", INT_BASE, EXT_BASE)
    w.b = Cluster(w.h2, "NORTHQUAY-RMS", OTHER_BASE, None)
    w.clc_key = Key(2048)
    w.machine = guid()
    w.user_key = Key(2048, sign=False)
    return w


def normal(w):
    a, b = w.a, w.b
    (m1, s1), (m2, s2), (m3, s3) = USERS
    T = NS

    # -- locate ---------------------------------------------------------------
    ns = T["ServerService"]
    types = ["CertificationInternalService", "CertificationService", "LicensingInternalService", "LicensingService"]
    urls = [INT_BASE + "/certification", EXT_BASE + "/certification", INT_BASE + "/licensing", EXT_BASE + "/licensing"]

    def fsl(op, tt):
        return env(ns, '<%s xmlns="%s"><ServiceNames>%s</ServiceNames></%s>' % (op, ns, "".join(
            "<ServiceLocationRequest><Type>%s</Type></ServiceLocationRequest>" % t for t in tt), op))

    def fslr(op, pairs):
        def one(t, u):
            uu = "" if u is None else ("<URL />" if u == "" else "<URL>%s</URL>" % escape(u))
            return "<ServiceLocationResponse>%s<Type>%s</Type></ServiceLocationResponse>" % (uu, t)
        return env(ns, '<%sResponse xmlns="%s"><%sResult>%s</%sResult></%sResponse>' % (
            op, ns, op, "".join(one(t, u) for t, u in pairs), op, op), SRV)
    f = "FindServiceLocationsForUser"
    r = fslr(f, list(zip(types, urls)) + [("DrmRemoteDirectoryServices", None)])
    add("01-findservicelocationsforuser", f, "ServerService", "/_wmcs/certification/ServiceLocator.asmx",
        fsl(f, types + ["DrmRemoteDirectoryServices"]), r, "locate", "allow",
        rewrite=["//ServiceLocationResponse/URL"], relayed=relay_map(r),
        note="last entry has no URL element: service does not exist")
    r = fslr(f, [("CertificationInternalService", OTHER_BASE + "/certification/certification.asmx"),
                 ("LicensingService", OTHER_BASE + "/licensing/")])
    add("01b-findservicelocationsforuser-otherforest", f, "ServerService", "/_wmcs/licensing/ServiceLocator.asmx",
        fsl(f, ["CertificationInternalService", "LicensingService"]), r, "locate", "allow",
        rewrite=["//ServiceLocationResponse/URL"], relayed=relay_map(r),
        note="URLs of a cluster that is not a configured backend: pass unchanged (and warn)")
    f = "FindServiceLocations"
    r = fslr(f, [("GroupExpansionService", INT_BASE + "/GroupExpansion/GroupExpansion.asmx"),
                 ("DrmRemoteDirectoryServices", "")])
    add("14-findservicelocations", f, "ServerService", "/_wmcs/certification/server.asmx",
        fsl(f, ["GroupExpansionService", "DrmRemoteDirectoryServices"]), r, "locate", "allow",
        rewrite=["//ServiceLocationResponse/URL"], relayed=relay_map(r), note="server-to-server; empty URL = none")

    # -- certify --------------------------------------------------------------
    ns = T["CertificationService"]

    def certify(chain, persistent):
        return env(ns, '<Certify xmlns="%s"><requestParams>%s<Persistent>%s</Persistent></requestParams></Certify>'
                   % (ns, certs("MachineCertificateChain", chain), persistent))

    def certifyr(chain):
        return env(ns, '<CertifyResponse xmlns="%s"><CertifyResult>%s<Quota><Verified>true</Verified>'
                   "<CurrentConsumption>5</CurrentConsumption><Maximum>10</Maximum></Quota></CertifyResult>"
                   "</CertifyResponse>" % (ns, certs("CertificateChain", chain)), SRV)
    add("02-certify", "Certify", "CertificationService", "/_wmcs/certification/certification.asmx",
        certify(w.h2.spc_chain(w.machine), "true"), certifyr(a.rac_chain(m1, s1, w.machine, key=w.user_key)),
        "certify", "allow", note="user RAC; identity comes from HTTP authentication, not from the body")
    sm = guid()
    add("03-servercertify", "Certify", "CertificationService", "/_wmcs/certification/ServerCertification.asmx",
        certify(w.h2.spc_chain(sm), "true"), certifyr(a.rac_chain(SVC[0], SVC[1], sm)), "certify", "allow",
        auth="windows, server accounts only", note="same SOAPAction as 02; only the path differs")

    # -- SLC ------------------------------------------------------------------
    ns = T["ServerService"]
    add("04-getlicensorcertificate", "GetLicensorCertificate", "ServerService", "/_wmcs/licensing/server.asmx",
        env(ns, '<GetLicensorCertificate xmlns="%s" />' % ns),
        env(ns, '<GetLicensorCertificateResponse xmlns="%s"><GetLicensorCertificateResult>%s'
            "</GetLicensorCertificateResult></GetLicensorCertificateResponse>"
            % (ns, certs("CertificateChain", a.slc_chain())), SRV), "info", "allow")

    # -- publish --------------------------------------------------------------
    ns = T["PublishingService"]
    rac_full = a.rac_chain(m1, s1, w.machine, key=w.user_key)
    clc = a.clc(m1, s1, w.clc_key)
    add("05-getclientlicensorcert", "GetClientLicensorCert", "PublishingService", "/_wmcs/licensing/publish.asmx",
        env(ns, '<GetClientLicensorCert xmlns="%s"><RequestParams><GetClientLicensorCertParams>%s'
            "</GetClientLicensorCertParams></RequestParams></GetClientLicensorCert>" % (ns, certs("PersonaCerts", rac_full))),
        env(ns, '<GetClientLicensorCertResponse xmlns="%s"><GetClientLicensorCertResult><GetClientLicensorCertResponse>%s'
            "</GetClientLicensorCertResponse></GetClientLicensorCertResult></GetClientLicensorCertResponse>"
            % (ns, certs("CertificateChain", [clc] + a.slc_chain())), SRV), "publish", "deny", ro_fault=OPD)
    add("05b-getclientlicensorcert-soap12", "GetClientLicensorCert", "PublishingService", "/_wmcs/licensing/publish.asmx",
        env(ns, '<GetClientLicensorCert xmlns="%s"><RequestParams><GetClientLicensorCertParams>%s'
            "</GetClientLicensorCertParams></RequestParams></GetClientLicensorCert>" % (ns, certs("PersonaCerts", rac_full)),
            soap=SOAP12), None, "publish", "deny", soap="1.2", ro_fault=OPD,
        note="SOAP 1.2: the fault must be SOAP 1.2 too")
    add("06-acquireissuancelicense", "AcquireIssuanceLicense", "PublishingService", "/_wmcs/licensing/publish.asmx",
        env(ns, '<AcquireIssuanceLicense xmlns="%s"><RequestParams><AcquireIssuanceLicenseParams>'
            "<UnsignedIssuanceLicense>%s</UnsignedIssuanceLicense></AcquireIssuanceLicenseParams></RequestParams>"
            "</AcquireIssuanceLicense>" % (ns, a.pl_unsigned(m1))),
        env(ns, '<AcquireIssuanceLicenseResponse xmlns="%s"><AcquireIssuanceLicenseResult><AcquireIssuanceLicenseResponse>'
            "%s</AcquireIssuanceLicenseResponse></AcquireIssuanceLicenseResult></AcquireIssuanceLicenseResponse>"
            % (ns, certs("CertificateChain", [a.pl_online(m1)] + a.slc_chain())), SRV), "publish", "deny", ro_fault=OPD)

    # -- consume --------------------------------------------------------------
    ns = T["LicensingService"]
    pl = a.pl_offline(m1, s1, w.clc_key)
    pl_chain = [pl, clc, a.slc]

    def al(items, order="schema", appdata=True):
        s = ""
        for rac, plc in items:
            lic = certs("LicenseeCerts", rac)
            iss = certs("IssuanceLicense", plc) if plc else ""
            app = "<ApplicationData />" if appdata else ""
            s += "<AcquireLicenseParams>%s%s</AcquireLicenseParams>" % ((lic + iss) if order == "schema" else (iss + lic), app)
        return '<AcquireLicense xmlns="%s"><RequestParams>%s</RequestParams></AcquireLicense>' % (ns, s)

    def alr(items):
        s = "".join("<AcquireLicenseResponse>%s<ReferenceCertificates /></AcquireLicenseResponse>"
                    % certs("CertificateChain", c) for c in items)
        return '<AcquireLicenseResponse xmlns="%s"><AcquireLicenseResult>%s</AcquireLicenseResult></AcquireLicenseResponse>' % (ns, s)
    rac2 = a.rac_chain(m2, s2, guid())
    P = "/_wmcs/licensing/license.asmx"
    add("07-acquirelicense", "AcquireLicense", "LicensingService", P, env(ns, al([(rac2, pl_chain)])),
        env(ns, alr([[a.ul(m2, s2, owner=m1)] + a.slc_chain()]), SRV), "consume", "allow")
    # client-made variant: IssuanceLicense first, own prefix, own xmlns on RequestParams, soapenc:arrayType
    body = al([(rac2[:1], pl_chain[:2])], order="pl-first", appdata=False)
    body = (body.replace("<RequestParams>", '<RequestParams xmlns="%s">' % ns)
            .replace("<IssuanceLicense>", '<IssuanceLicense soapenc:arrayType="Certificate[2]">')
            .replace("<LicenseeCerts>", '<LicenseeCerts soapenc:arrayType="Certificate[1]">'))
    v = env(ns, body, pfx="SOAP-ENV").replace('xmlns:xsd=', 'xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd=')
    add("07b-acquirelicense-plfirst", "AcquireLicense", "LicensingService", "/_wmcs/licensing/License.asmx", v,
        env(ns, alr([[a.ul(m2, s2, owner=m1)] + a.slc_chain()]), SRV), "consume", "allow",
        note="element order differs from the schema, extra attributes, file name in another letter case")
    v12 = env(ns, al([(rac2, pl_chain)]), soap=SOAP12, pfx="env")
    add("07c-acquirelicense-soap12", "AcquireLicense", "LicensingService", P, v12,
        env(ns, alr([[a.ul(m2, s2, owner=m1)] + a.slc_chain()]), SRV, soap=SOAP12), "consume", "allow", soap="1.2")
    exc = ('<AcquireLicenseException xmlns=""><ExceptionString>Microsoft.DigitalRightsManagement.Licensing.'
           "NoRightsForRequestedPrincipalException</ExceptionString><batchindex>1</batchindex></AcquireLicenseException>")
    add("07d-acquirelicense-batch3-partial", "AcquireLicense", "LicensingService", P,
        env(ns, al([([a.rac(m2, s2), a.slc], pl_chain), ([a.rac(m3, s3), a.slc], None), ([a.rac(m1, s1), a.slc], None)]),
            ("1.0.0.0", "1.1.0.0")),
        env(ns, alr([[a.ul(m2, s2, owner=m1)] + a.slc_chain(), [exc], [a.ul(m1, s1, rights=())] + a.slc_chain()]), SRV),
        "consume", "allow", note="HTTP 200 although item 1 failed; PL only in item 0; MaximumVersion 1.1.0.0")
    mb, sb = "dieter.maass@northquay.example", "S-1-5-21-99000111-22000333-44000555-1107"
    plb = b.pl_offline(mb, sb, w.clc_key, 3000)
    add("07e-acquirelicense-othercluster", "AcquireLicense", "LicensingService", P, env(ns, al([(rac2[:1], [plb, b.clc(mb, sb, w.clc_key), b.slc])])),
        fault11("Microsoft.DigitalRightsManagement.Licensing.RightsLabelNoMatchingIssuedPrincipalException: the "
                "publishing license was not issued for this server"), "consume", "allow", status=500,
        note="PL issued for another cluster: route by ISSUEDPRINCIPALS GUID or let the backend fault through")

    idents = [m1, m2, m3, "nobody@elsewhere.example"]
    pexc = exc.replace("AcquireLicenseException", "AcquirePreLicenseException").replace(
        "NoRightsForRequestedPrincipalException", "AcquirePreLicenseInvalidLicenseeException").replace(
        "<batchindex>1", "<batchindex>3")
    add("08-acquireprelicense", "AcquirePreLicense", "LicensingService", P,
        env(ns, '<AcquirePreLicense xmlns="%s"><RequestParams><AcquirePreLicenseParams>%s%s<ApplicationData />'
            "</AcquirePreLicenseParams></RequestParams></AcquirePreLicense>"
            % (ns, strings("LicenseeIdentities", idents), certs("IssuanceLicense", [pl]))),
        env(ns, '<AcquirePreLicenseResponse xmlns="%s"><AcquirePreLicenseResult><AcquirePreLicenseResponse>%s%s'
            "<ReferenceCertificates /></AcquirePreLicenseResponse></AcquirePreLicenseResult></AcquirePreLicenseResponse>"
            % (ns, certs("Licenses", [a.ul(m1, s1), a.ul(m2, s2, owner=m1), a.ul(m3, s3, owner=m1, rights=("VIEW",)), pexc]),
               certs("CertificateChain", a.slc_chain())), SRV), "consume", "allow",
        auth="windows, server accounts only", note="LicenseeIdentities: log; result index = identity index")

    # -- templates ------------------------------------------------------------
    ns = T["TemplateDistributionService"]
    P = "/_wmcs/licensing/templateDistribution.asmx"
    tpls = [a.template("Harbourline Internal", "Staff only"), a.template("Board papers", "No print, no forward"),
            a.template("Vertraulich \u2013 f\u00fcr Vorstand", "Nur f\u00fcr den Vorstand \u65e5\u672c\u8a9e")]
    add("09-acquiretemplateinformation", "AcquireTemplateInformation", "TemplateDistributionService", P,
        env(ns, '<AcquireTemplateInformation xmlns="%s" />' % ns),
        env(ns, '<AcquireTemplateInformationResponse xmlns="%s"><AcquireTemplateInformationResult><ServerPublicKey>%s'
            "</ServerPublicKey><GuidHashCount>%d</GuidHashCount>%s</AcquireTemplateInformationResult>"
            "</AcquireTemplateInformationResponse>" % (ns, a.id.key.pkcs1(), len(tpls), "".join(
                "<GuidHash><Guid>%s</Guid><Hash>%s</Hash></GuidHash>" % (g, h) for g, h, _ in tpls)), SRV),
        "template", "allow (policy)")
    gone = guid()
    add("10-acquiretemplates", "AcquireTemplates", "TemplateDistributionService", P,
        env(ns, '<AcquireTemplates xmlns="%s">%s</AcquireTemplates>' % (ns, strings("guids", [t[0] for t in tpls] + [gone]))),
        env(ns, '<AcquireTemplatesResponse xmlns="%s"><AcquireTemplatesResult>%s<GuidTemplate><Guid>%s</Guid></GuidTemplate>'
            "</AcquireTemplatesResult></AcquireTemplatesResponse>" % (ns, "".join(
                "<GuidTemplate><Guid>%s</Guid><Hash>%s</Hash><Template>%s</Template></GuidTemplate>" % (g, h, escape(x))
                for g, h, x in tpls), gone), SRV), "template", "allow (policy)",
        note="Template is ESCAPED text of a signed XrML; it holds URLs that must not be rewritten")

    # -- republish ------------------------------------------------------------
    ns = T["EditIssuanceLicenseService"]
    add("11-editissuancelicense", "EditIssuanceLicense", "EditIssuanceLicenseService",
        "/_wmcs/licensing/editissuancelicense.asmx",
        env(ns, '<EditIssuanceLicense xmlns="%s"><RequestParams><EditIssuanceLicenseParams><SignedIssuanceLicense>%s'
            "</SignedIssuanceLicense><UnsignedIssuanceLicense>%s</UnsignedIssuanceLicense></EditIssuanceLicenseParams>"
            "</RequestParams></EditIssuanceLicense>" % (ns, pl, a.pl_unsigned(m1, 5200))),
        env(ns, '<EditIssuanceLicenseResponse xmlns="%s"><EditIssuanceLicenseResult><EditIssuanceLicenseResponse>%s'
            "</EditIssuanceLicenseResponse></EditIssuanceLicenseResult></EditIssuanceLicenseResponse>"
            % (ns, certs("CertificateChain", [a.pl_online(m1, 5200)])), SRV), "publish", "deny", ro_fault=OPD,
        auth="windows, SYSTEM/trusted servers")

    # -- info -----------------------------------------------------------------
    ns = T["ServerService"]
    r = ('<GetServerInfoResponse xmlns="%s"><GetServerInfoResult><Results xmlns=""><ServerInfoRequest Type="VersionInfo" '
         'AdditionalInfo=""><VersionInfo Version="6.3.0.0" /></ServerInfoRequest><ServerInfoRequest Type="ServerFeatureInfo" '
         'AdditionalInfo=""><ServerFeatureInfo><Feature Name="GroupExpansionWebService" Value="true" /><Feature '
         'Name="ActiveDirectoryServicesRemoting" Value="false" /><Feature Name="FederatedServicesEnabled" Value="0" />'
         '</ServerFeatureInfo></ServerInfoRequest><ServerInfoRequest Type="ServerLicensorCertificate" AdditionalInfo="">'
         "<ServerLicensorCertificateChain>%s</ServerLicensorCertificateChain></ServerInfoRequest><ServerInfoRequest "
         'Type="ServiceLocations" AdditionalInfo=""><ServiceLocations><ServiceLocation Type="LicensingService" Url="%s" />'
         '<ServiceLocation Type="PublishingService" Url="" /><ServiceLocation Type="CertificationService" Url="%s" />'
         '<ServiceLocation Type="PrecertificationService" Url="" /><ServiceLocation Type="ServerService" Url="" />'
         '<ServiceLocation Type="GroupExpansionService" Url="%s" /></ServiceLocations></ServerInfoRequest></Results>'
         "</GetServerInfoResult></GetServerInfoResponse>"
         % (ns, "".join(a.slc_chain()), EXT_BASE + "/licensing", INT_BASE + "/certification/",
            INT_BASE.replace("http://", "HTTP://") + "/GroupExpansion/GroupExpansion.asmx"))
    r = env(ns, r, ver=None)
    # expected output: only the Url attributes change, the SLC chain does not
    head, tail = r.split("<ServiceLocations>")
    rel = head + "<ServiceLocations>" + relay_map(tail.replace("HTTP://rms01", "http://rms01"))
    add("12-getserverinfo", "GetServerInfo", "ServerService", "/_wmcs/certification/server.asmx",
        env(ns, '<GetServerInfo xmlns="%s"><requests>%s</requests></GetServerInfo>' % (ns, "".join(
            "<ServerInfoRequest><Type>%s</Type></ServerInfoRequest>" % t for t in
            ("VersionInfo", "ServerFeatureInfo", "ServerLicensorCertificate", "ServiceLocations"))), ver=None),
        r, "info", "allow", rewrite=["//ServiceLocation/@Url"], relayed=rel,
        note="URLs are attributes; the SLC chain in the same message also holds that host and stays")

    # -- precertify, group expansion, decommission, subenroll ------------------
    ns = T["CertificationService"]
    add("13-precertify", "Precertify", "CertificationService", "/_wmcs/certification/Precertification.asmx",
        env(ns, '<Precertify xmlns="%s"><requestParams><PrecertifyParams><UserName>%s</UserName><Identification>'
            "<AuthenticationMode>Windows</AuthenticationMode><Id>%s</Id></Identification></PrecertifyParams></requestParams>"
            "</Precertify>" % (ns, m2, s2)),
        env(ns, '<PrecertifyResponse xmlns="%s"><PrecertifyResult><PrecertifyResponse><Certificate>%s</Certificate>'
            "</PrecertifyResponse></PrecertifyResult></PrecertifyResponse>" % (ns, a.rac(m2, s2)), SRV), "consume", "allow",
        auth="windows, server accounts only")
    ns = T["GroupExpansionWebService"]
    add("15-isprincipalmemberof", "IsPrincipalMemberOf", "GroupExpansionWebService",
        "/_wmcs/groupexpansion/GroupExpansion.asmx",
        env(ns, '<IsPrincipalMemberOf xmlns="%s"><principalName>%s</principalName><principalCrossForest>%s'
            "</principalCrossForest>%s<crossForestCallsSoFar>1</crossForestCallsSoFar></IsPrincipalMemberOf>"
            % (ns, m2, m2, strings("targetGroups", ["finance@northquay.example", "board@northquay.example"]))),
        env(ns, '<IsPrincipalMemberOfResponse xmlns="%s"><IsPrincipalMemberOfResult>true</IsPrincipalMemberOfResult>'
            "</IsPrincipalMemberOfResponse>" % ns, SRV), "info", "allow", auth="windows, RMS servers only")
    ns = T["DecommissionService"]
    add("16-acquirecontentkey", "AcquireContentKey", "DecommissionService", "/_wmcs/decommission/decommission.asmx",
        env(ns, '<AcquireContentKey xmlns="%s"><paramsSoap><AcquireContentKeyParams>%s</AcquireContentKeyParams></paramsSoap>'
            "</AcquireContentKey>" % (ns, certs("IssuanceLicense", [pl]))),
        fault11("Microsoft.DigitalRightsManagement.Utilities.ClusterNotDecommissionedException: the cluster is not "
                "decommissioned"), "admin", "deny", status=500, auth="windows, administrators",
        note="a successful answer would hold a plaintext content key: block always, in every mode")
    ns = T["SubEnrollmentService"]
    sub = Cluster(w.h2, "HARBOURLINE-DEPT", "http://dept-rms.corp.harbourline.example/_wmcs", None, "RMS 1.0")
    add("17-subenroll", "SubEnroll", "SubEnrollmentService", "/_wmcs/Certification/SubEnrollService.asmx",
        env(ns, '<SubEnroll xmlns="%s"><oInput><CertificatePublicKey><aPublicKeyBytes>%s</aPublicKeyBytes><Guid>%s</Guid>'
            "</CertificatePublicKey><EnrolleeInformation><SKU>RMS 1.0</SKU><Version>5.2.3790.300</Version>"
            "<Name>HARBOURLINE-DEPT</Name><URL>%s</URL></EnrolleeInformation></oInput></SubEnroll>"
            % (ns, sub.id.key.pkcs1(), sub.guid.strip("{}"), sub.int)),
        env(ns, '<SubEnrollResponse xmlns="%s"><SubEnrollResult>%s</SubEnrollResult></SubEnrollResponse>'
            % (ns, strings("LicensorCertificateChain", [issuing_cert("Server-Licensor-Certificate", sub.id, a.id, a.alg)]
                           + a.slc_chain())), SRV), "admin", "deny", auth="windows, SYSTEM",
        note="chain nodes are ESCAPED strings; the URL in the request gets signed into the new SLC")
    ns = T["ActivationService"]
    add("18-activate", "Activate", "ActivationService", "/_wmcs/certification/Activation.asmx",
        env(ns, '<Activate xmlns="%s"><requestParams><ActivateParams><HidXml><HID xmlns="">%s</HID></HidXml></ActivateParams>'
            "</requestParams></Activate>" % (ns, b64(32))), None, "certify", "deny (dead service)",
        note="version 1.0 clients only; the real answer would be DIME, not XML")

    # -- Mode 1 (SHA-1 / 1024) -------------------------------------------------
    h1 = Hierarchy("sha1", 1024)
    old = Cluster(h1, "HARBOURLINE-OLD", "http://oldrms.corp.harbourline.example/_wmcs", None, "RMS 1.0")
    k1 = Key(1024)
    ns = T["LicensingService"]
    add("19-acquirelicense-mode1", "AcquireLicense", "LicensingService", "/_wmcs/licensing/license.asmx",
        env(ns, al([(old.rac_chain(m3, s3, guid()), [old.pl_offline(m1, s1, k1), old.clc(m1, s1, k1), old.slc])])),
        env(ns, alr([[old.ul(m3, s3, owner=m1)] + old.slc_chain()]), ("1.0.0.0", "1.1.0.0")), "consume", "allow",
        note="cryptographic mode 1: 1024-bit RSA, SHA-1, sealed-key")

    # -- faults ----------------------------------------------------------------
    D = "Microsoft.DigitalRightsManagement."
    for n, s in (
            ("fault-onlinepublishingdisabled", fault11(D + "Licensing.OnlinePublishingDisabledException: publishing is not available through this relay")),
            ("fault-onlinepublishingdisabled-soap12", fault12(D + "Licensing.OnlinePublishingDisabledException: publishing is not available through this relay")),
            ("fault-unauthorized", fault11("System.UnauthorizedAccessException: the caller is not allowed to use this service")),
            ("fault-norights", fault11(D + "Licensing.NoRightsForRequestedPrincipalException: no rights")),
            ("fault-unsupporteddataversion", fault11(D + "Core.UnsupportedDataVersionException: version")),
            ("fault-malformeddataversion", fault11(D + "Core.MalformedDataVersionException: version")),
            ("fault-unspecified", fault11(D + "Utilities.UnspecifiedErrorException: see the server log")),
            ("fault-nested", fault11("System.Web.Services.Protocols.SoapException: Server was unable to process request. ---> "
                                     + D + "Licensing.InvalidPersonaCertTimeException: the certificate has expired")),
            ("fault-unknownaction", fault11("Server did not recognize the value of HTTP Header SOAPAction: "
                                            "http://microsoft.com/DRM/LicensingService/Nonsense.", "soap:Client"))):
        OUT[n + ".xml"] = s


PUB, LIC = NS["PublishingService"], NS["LicensingService"]
NEGATIVES = [  # (name, method, path, headers, body file, expected in read-only mode, why)
    ("neg-case", "POST", "/_WMCS/Licensing/PUBLISH.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "IIS ignores case"),
    ("neg-doubleslash", "POST", "/_wmcs//licensing///publish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "slashes are merged by some servers"),
    ("neg-dotsegment", "POST", "/_wmcs/certification/../licensing/./publish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "dot segments"),
    ("neg-percent", "POST", "/_wmcs/licensing/%70ublish%2Easmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "percent-encoding"),
    ("neg-doublepercent", "POST", "/_wmcs/licensing/%2570ublish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "double percent-encoding"),
    ("neg-backslash", "POST", "/_wmcs/licensing%5Cpublish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "backslash is a separator for IIS"),
    ("neg-encodedslash", "POST", "/_wmcs/licensing%2Fpublish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "encoded slash"),
    ("neg-pathinfo", "POST", "/_wmcs/licensing/publish.asmx/GetClientLicensorCert", {}, "05", "deny", "ASP.NET path info / HTTP-POST binding"),
    ("neg-otherfile-pathinfo", "POST", "/_wmcs/licensing/publish.asmx/x/license.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "last segment looks harmless"),
    ("neg-trailingdot", "POST", "/_wmcs/licensing/publish.asmx.", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "Windows drops trailing dots"),
    ("neg-ads", "POST", "/_wmcs/licensing/publish.asmx::$DATA", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "NTFS stream name"),
    ("neg-query", "POST", "/_wmcs/licensing/publish.asmx?x=license.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "query string is not part of the path"),
    ("neg-external", "POST", "/_wmcs/licensingexternal/publish.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "federated virtual directory"),
    ("neg-action-mismatch-1", "POST", "/_wmcs/licensing/license.asmx", {"SOAPAction": '"%s/GetClientLicensorCert"' % PUB}, "05", "deny", "publish action on another file"),
    ("neg-action-mismatch-2", "POST", "/_wmcs/licensing/publish.asmx", {"SOAPAction": '"%s/AcquireLicense"' % LIC}, "07", "deny", "consume action on the publish file"),
    ("neg-action-mismatch-3", "POST", "/_wmcs/licensing/license.asmx", {"SOAPAction": '"%s/AcquireLicense"' % LIC}, "05", "deny", "body element disagrees with the action"),
    ("neg-action-missing", "POST", "/_wmcs/licensing/publish.asmx", {}, "05", "deny", "no SOAPAction at all"),
    ("neg-action-empty", "POST", "/_wmcs/licensing/publish.asmx", {"SOAPAction": '""'}, "05", "deny", "empty SOAPAction"),
    ("neg-action-unquoted", "POST", "/_wmcs/licensing/publish.asmx", {"SOAPAction": "%s/GetClientLicensorCert" % PUB}, "05", "deny", "unquoted value must be understood too"),
    ("neg-soap12", "POST", "/_wmcs/licensing/publish.asmx", {"Content-Type": 'application/soap+xml; charset=utf-8; action="%s/GetClientLicensorCert"' % PUB}, "05", "deny", "SOAP 1.2 action parameter"),
    ("neg-gzip-request", "POST", "/_wmcs/licensing/license.asmx", {"SOAPAction": '"%s/AcquireLicense"' % LIC, "Content-Encoding": "gzip"}, "05", "deny", "compressed request body cannot be inspected: refuse (415)"),
    ("neg-admin", "POST", "/_wmcs/admin/TemplateMgr.asmx", {"SOAPAction": '"http://example.invalid/x"'}, "07", "deny", "administration services are never relayed"),
    ("neg-remoting", "POST", "/_wmcs/DrmRemote/DirectoryServices/DirectoryServices.rem", {"Content-Type": "application/octet-stream"}, None, "deny", "binary remoting is never relayed"),
    ("neg-get-wsdl", "GET", "/_wmcs/licensing/publish.asmx?wsdl", {}, None, "deny or rewrite", "WSDL page shows backend URLs"),
]


def big(w):
    """About 1 MB each: a batch of 100 licensees, and 100 pre-licenses."""
    a = w.a
    m1, s1 = USERS[0]
    clc = a.clc(m1, s1, w.clc_key)
    pl = a.pl_offline(m1, s1, w.clc_key)
    ns = NS["LicensingService"]
    people = [("user%03d@harbourline.example" % i, "S-1-5-21-1804289383-846930886-1681692777-%d" % (5000 + i))
              for i in range(100)]
    s = ""
    for i, (m, sid) in enumerate(people):
        lic = certs("LicenseeCerts", [a.rac(m, sid, guid()), a.slc])
        iss = certs("IssuanceLicense", [pl, clc, a.slc]) if i == 0 else ""
        s += "<AcquireLicenseParams>%s%s<ApplicationData /></AcquireLicenseParams>" % (lic, iss)
    OUT["acquirelicense-batch100.request.xml"] = env(
        ns, '<AcquireLicense xmlns="%s"><RequestParams>%s</RequestParams></AcquireLicense>' % (ns, s), ("1.0.0.0", "1.1.0.0"))
    uls = [a.ul(m, sid, owner=m1) for m, sid in people]
    s = "".join("<AcquireLicenseResponse>%s<ReferenceCertificates /></AcquireLicenseResponse>"
                % certs("CertificateChain", [u] + a.slc_chain()) for u in uls)
    OUT["acquirelicense-batch100.response.xml"] = env(
        ns, '<AcquireLicenseResponse xmlns="%s"><AcquireLicenseResult>%s</AcquireLicenseResult></AcquireLicenseResponse>' % (ns, s), SRV)
    OUT["acquireprelicense-100.request.xml"] = env(
        ns, '<AcquirePreLicense xmlns="%s"><RequestParams><AcquirePreLicenseParams>%s%s<ApplicationData />'
        "</AcquirePreLicenseParams></RequestParams></AcquirePreLicense>"
        % (ns, strings("LicenseeIdentities", [m for m, _ in people]), certs("IssuanceLicense", [pl])))
    OUT["acquireprelicense-100.response.xml"] = env(
        ns, '<AcquirePreLicenseResponse xmlns="%s"><AcquirePreLicenseResult><AcquirePreLicenseResponse>%s%s'
        "<ReferenceCertificates /></AcquirePreLicenseResponse></AcquirePreLicenseResult></AcquirePreLicenseResponse>"
        % (ns, certs("Licenses", uls), certs("CertificateChain", a.slc_chain())), SRV)


def raw_http(m, kind):
    host = RELAY_BASE.split("/")[2]
    if kind == "request":
        body = OUT[m["request"]].encode()
        h = ["POST %s HTTP/1.1" % m["path"], "Host: " + host, "User-Agent: SyntheticRmsClient/1.0",
             "Accept-Encoding: gzip, deflate"] + ["%s: %s" % kv for kv in m["headers"].items()]
    else:
        body = OUT[m["response"]].encode()
        h = ["HTTP/1.1 %d %s" % (m["status"], "OK" if m["status"] == 200 else "Internal Server Error"),
             "Cache-Control: private, max-age=0", "Content-Type: " + m["content_type"]]
    return ("\r\n".join(h + ["Content-Length: %d" % len(body)]) + "\r\n\r\n").encode() + body


def main(argv):
    w = world()
    if argv[:1] == ["--big"]:
        big(w)
        out = argv[1]
    else:
        normal(w)
        out = HERE
    os.makedirs(out if argv[:1] != ["--http"] else argv[1], exist_ok=True)
    if argv[:1] == ["--http"]:
        for m in MANIFEST:
            for kind in ("request", "response"):
                if m[kind]:
                    with open(os.path.join(argv[1], "%s.%s.http" % (m["name"], kind)), "wb") as fh:
                        fh.write(raw_http(m, kind))
        return
    for n, s in OUT.items():
        with open(os.path.join(out, n), "wb") as fh:
            fh.write(s.encode("utf-8"))
    if MANIFEST:
        with open(os.path.join(out, "manifest.json"), "w") as fh:
            neg = [dict(zip(("name", "method", "path", "headers", "body", "readonly", "why"), n)) for n in NEGATIVES]
            for n in neg:
                n["body"] = next((m["request"] for m in MANIFEST if n["body"] and m["name"].startswith(n["body"] + "-")), None)
            json.dump(dict(seed=SEED, relay_base=RELAY_BASE, backend_bases=[INT_BASE, EXT_BASE], messages=MANIFEST,
                           negatives=neg),
                      fh, indent=1, ensure_ascii=False)
            fh.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
