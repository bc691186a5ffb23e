#!/usr/bin/python3
"""provision.py SMB_CONF OUT < domain.json

Makes an Active Directory domain and fills it, all in one process and straight
in its database: no server runs, and one samba-tool would take 0.6 s.  Writes
http.keytab, wrong.keytab, clients.keytab and OUT/sids.json, the SID of every
account and group.

domain.json: realm, workgroup, ip, domain_sid, machines, users, services,
groups {name: [members]}, local_groups, crowd {account, groups}.
"""

import json
import logging
import sys

import samba.dsdb
import samba.provision
from samba.auth import system_session

from domain import DELEGATES, NORMAL, Domain, domain_sid, load


def provision(conf, want, lp):
    log = logging.getLogger("provision")
    log.addHandler(logging.StreamHandler(sys.stdout))

    # the ACLs of sysvol, which is not served, need privileges that user
    # namespaces do not have
    samba.provision.setsysvolacl = lambda *a, **k: None
    samba.provision.provision(
        log, system_session(), smbconf=conf, realm=want["realm"],
        domain=want["workgroup"], domainsid=domain_sid(want["domain_sid"]),
        hostname="dc1", hostip=want["ip"], adminpass="Administrator-pass1",
        serverrole="active directory domain controller", dns_backend="NONE",
        dom_for_fun_level=samba.dsdb.DS_DOMAIN_FUNCTION_2008_R2, lp=lp,
        useeadb=True)


def accounts(domain, want):
    services = want["services"]
    for account in want["users"]:
        domain.user(account)
    for account in want["machines"]:
        domain.machine(account)

    # The UPN is the first SPN, as ktpass makes it: the service gets a ticket
    # for itself under the name that callers use, which S4U2Self needs.
    domain.service("svc-rms", services,
                   userPrincipalName=["%s@%s" % (services[0], want["realm"])],
                   userAccountControl=str(NORMAL | DELEGATES))
    domain.service("svc-wrong", ["HTTP/wrong.rms.test"])
    domain.refused()


def groups(domain, want):
    for name in want["groups"]:
        domain.group(name, local=name in want["local_groups"])
    for name, members in want["groups"].items():
        domain.join(name, *members)
    domain.crowd(**want["crowd"])


def main():
    conf, out = sys.argv[1:3]
    want = json.load(sys.stdin)
    lp = load(conf)
    provision(conf, want, lp)
    domain = Domain(lp)
    domain.sam.transaction_start()
    domain.policy()
    accounts(domain, want)
    groups(domain, want)
    domain.sam.transaction_commit()
    domain.keytab(out + "/http.keytab", *want["services"])
    domain.keytab(out + "/wrong.keytab", "HTTP/wrong.rms.test")
    domain.keytab(out + "/clients.keytab", *want["machines"], *want["users"],
                  "svc-rms", want["crowd"]["account"])
    with open(out + "/sids.json", "w") as f:
        json.dump(domain.sids(), f)


main()
