#!/usr/bin/python3
"""pac.py < logon information - what Samba reads in it, as JSON.

account, domain, user (SID), sids: the user, the groups, the extra SIDs and the
resource groups, in this order.
"""

import json
import struct
import sys

from samba.dcerpc import krb5pac
from samba.ndr import ndr_unpack

LOGON_INFO = 1

info = sys.stdin.buffer.read()
head = struct.pack("<IIIIQ", 1, 0, LOGON_INFO, len(info), 24)
logon = ndr_unpack(krb5pac.PAC_DATA, head + info).buffers[0].info.info
base, resources = logon.info3.base, logon.resource_groups
sids = ["%s-%d" % (base.domain_sid, base.rid)]
sids += ["%s-%d" % (base.domain_sid, g.rid) for g in base.groups.rids or []]
sids += [str(x.sid) for x in logon.info3.sids or []]
sids += ["%s-%d" % (resources.domain_sid, g.rid)
         for g in resources.groups.rids or []]
json.dump({"account": base.account_name.string,
           "domain": base.logon_domain.string,
           "user": sids[0], "sids": sids}, sys.stdout)
