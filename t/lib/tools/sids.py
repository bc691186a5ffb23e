#!/usr/bin/python3
"""Samba's own encoder and reader of logon information, beside ours.

sids.py make FOLDER N SEED - writes N of them, FOLDER/0 and so on.
sids.py read FILE...       - a line a file, as t/lib/tools/sids.c prints it;
                             "refused" for what Samba refuses.
"""

import random
import struct
import sys

from samba.dcerpc import krb5pac, netlogon, samr, security
from samba.ndr import ndr_pack, ndr_unpack

ENABLED, DENY_ONLY = 0x4, 0x10
EXTRA_SIDS, RESOURCE_GROUPS = 0x20, 0x200
NAMES = [None, "", "EXCH01$", "user", "\u00fc\u00f1\u4e2d\U0001f600", "x" * 41]
DOMAINS = ["S-1-5-21-1-2-3", "S-1-5-21-4-5-6", "S-1-5-32"]
ATTRIBUTES = [7, 7, 7, 0x20000007, 0, 3, 0x14]


def groups(rnd, n):
    array = samr.RidWithAttributeArray()
    rids = []
    for _ in range(n):
        group = samr.RidWithAttribute()
        group.rid = rnd.choice([1, 2, 500, rnd.randrange(3000)])
        group.attributes = rnd.choice(ATTRIBUTES)
        rids.append(group)
    array.count, array.rids = n, rids
    return array


def domain(rnd):
    other = "S-1-5-21-%d-%d-%d" % tuple(rnd.getrandbits(32) for _ in range(3))
    return rnd.choice(DOMAINS + [other])


def extras(rnd, n):
    found = []
    for _ in range(n):
        extra = netlogon.netr_SidAttr()
        rid = rnd.choice([1, 2, 500, rnd.getrandbits(32)])
        extra.sid = security.dom_sid(
            "%s-%d" % (rnd.choice([domain(rnd), "S-1-18"]), rid))
        extra.attributes = rnd.choice(ATTRIBUTES)
        found.append(extra)
    return found


def base(rnd):
    b = netlogon.netr_SamBaseInfo()
    for name in ("account_name", "full_name", "logon_script", "profile_path",
                 "home_directory", "home_drive", "logon_domain"):
        string = getattr(b, name)
        string.string = rnd.choice(NAMES)
        setattr(b, name, string)
    b.domain_sid = security.dom_sid(domain(rnd))
    b.rid = rnd.choice([0, 500, 1105, rnd.getrandbits(32)])
    b.primary_gid = rnd.choice([0, 513, 515])
    b.user_flags = rnd.choice([0, 0x20, 0x200, 0x220])
    b.acct_flags = rnd.choice([0x10, 0x80, 1])
    b.groups = groups(rnd, rnd.choice([0, 1, 2, 5, 30]))
    if b.rid == 0:
        b.user_flags |= EXTRA_SIDS
    return b


def make(rnd):
    info = krb5pac.PAC_LOGON_INFO()
    info3 = netlogon.netr_SamInfo3()
    info3.base = base(rnd)
    n = rnd.choice([0, 1, 2, 6, 20])
    sids = extras(rnd, n or info3.base.rid == 0)
    info3.sidcount, info3.sids = len(sids), sids
    info.info3 = info3
    resources, n = info.resource_groups, rnd.choice([0, 0, 1, 4])
    if n or rnd.random() < 0.2:
        resources.domain_sid = security.dom_sid(domain(rnd))
    resources.groups = groups(rnd, n)
    info.resource_groups = resources
    ctr = krb5pac.PAC_LOGON_INFO_CTR()
    ctr.info = info
    buf = krb5pac.PAC_BUFFER()
    buf.type, buf.info = krb5pac.PAC_TYPE_LOGON_INFO, ctr
    pac = krb5pac.PAC_DATA()
    pac.num_buffers, pac.version, pac.buffers = 1, 0, [buf]
    raw = ndr_pack(pac)
    _, length, offset = struct.unpack_from("<IIQ", raw, 8)
    return raw[offset:offset + length]


def text(sid, *rids):
    authority = int.from_bytes(bytes(sid.id_auth), "big")
    return "-".join(
        ["S", "1", "0x%012x" % authority if authority >> 32 else str(authority)]
        + [str(sub) for sub in sid.sub_auths[:sid.num_auths]]
        + [str(rid) for rid in rids])


def order(sid):
    parts = sid.split("-")[2:]
    authority, rid = int(parts[0], 0), int(parts[-1])
    return authority, len(parts), [int(p) for p in parts[1:-1]], rid


def counts(attributes):
    return attributes & ENABLED and not attributes & DENY_ONLY


def read(raw):
    pac = struct.pack("<II", 1, 0) + struct.pack("<IIQ", 1, len(raw), 24) + raw
    info = ndr_unpack(krb5pac.PAC_DATA, pac).buffers[0].info.info
    b, resources = info.info3.base, info.resource_groups
    extra = [(text(x.sid), x.attributes) for x in info.info3.sids or []]
    user = text(b.domain_sid, b.rid) if b.rid else extra[0][0]
    sids = {user}
    if b.primary_gid:
        sids.add(text(b.domain_sid, b.primary_gid))
    sids |= {text(b.domain_sid, g.rid)
             for g in b.groups.rids or [] if counts(g.attributes)}
    if b.user_flags & EXTRA_SIDS:
        sids |= {sid for sid, attributes in extra if counts(attributes)}
    if b.user_flags & RESOURCE_GROUPS:
        sids |= {text(resources.domain_sid, g.rid)
                 for g in resources.groups.rids or [] if counts(g.attributes)}
    return "%s %x %x %s\t%s\t%s" % (
        user, b.user_flags, b.acct_flags, ",".join(sorted(sids, key=order)),
        b.account_name.string or "", b.logon_domain.string or "")


def main():
    if sys.argv[1] == "make":
        rnd = random.Random(int(sys.argv[4]))
        for i in range(int(sys.argv[3])):
            with open("%s/%d" % (sys.argv[2], i), "wb") as f:
                f.write(make(rnd))
        return
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    for name in sys.argv[2:]:
        with open(name, "rb") as f:
            try:
                print(read(f.read()))
            except Exception:  # Samba says what it refuses in several ways
                print("refused")


main()
