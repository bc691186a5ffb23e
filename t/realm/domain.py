"""An Active Directory domain in its database: accounts, groups, keytabs.

Samba reads the same database, so what is changed here holds at once, whether
or not it runs.  A password is the name of the account with "-pass".
"""

import ldb
import samba.dckeytab  # adds Net.export_keytab  # noqa: F401
import samba.dsdb
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dcerpc import drsblobs, lsa, security
from samba.ndr import ndr_pack
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

NORMAL, DISABLED, DELEGATES = 0x200, 0x2, 0x1000000
AES = str(0x18)
NEVER = str(-0x8000000000000000)
AN_HOUR = str(-36000000000)
A_DAY = 864000000000
LONG_AGO = str(130000000000000000)  # 2012-12-14
OFTEN = 10  # wrong passwords until an account is locked
ACTIVE_DIRECTORY, WE_TRUST_THEM = "2", "2"  # [MS-ADTS] 6.1.6.7.15 and .12


def load(conf):
    lp = LoadParm()
    lp.load(conf)
    return lp



def domain_sid(text):
    return security.dom_sid(text)


def authentication(kind, value):
    info = drsblobs.AuthenticationInformation()
    info.LastUpdateTime = samba.unix2nttime(1400000000)
    info.AuthType = kind
    info.AuthInfo = value
    return info

class Domain:
    def __init__(self, lp):
        creds = Credentials()
        creds.guess(lp)
        self.sam = SamDB(url=lp.samdb_url(), session_info=system_session(),
                         credentials=creds, lp=lp)
        self.net = Net(creds, lp)

    def dn(self, account):
        found = self.sam.search(
            expression="(sAMAccountName=%s)" % account, attrs=[])
        return found[0].dn

    def replace(self, dn, controls=None, **values):
        m = ldb.Message(dn)
        for name, value in values.items():
            name = name.replace("_", "-")
            m[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
        self.sam.modify(m, controls or [])

    def policy(self):
        self.replace(self.sam.get_default_basedn(), pwdProperties="0",
                     minPwdLength="0", minPwdAge="0", maxPwdAge=NEVER,
                     lockoutDuration=NEVER, lockOutObservationWindow=AN_HOUR,
                     lockoutThreshold=str(OFTEN))

    def password_age(self, days=None):
        """How old passwords may be."""
        self.replace(self.sam.get_default_basedn(),
                     maxPwdAge=str(-days * A_DAY) if days else NEVER)

    def old_password(self, account):
        self.replace(self.dn(account), ["local_oid:%s:0" %
                     samba.dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID],
                     pwdLastSet=LONG_AGO)

    def password(self, account, password=None):
        self.sam.setpassword("(sAMAccountName=%s)" % account,
                             password or account + "-pass",
                             force_change_at_next_login=False)

    def user(self, account):
        self.sam.newuser(account, account + "-pass")

    def machine(self, account):
        self.sam.newcomputer(account.rstrip("$"))
        self.password(account)

    def service(self, account, names, **more):
        """A service account: AES keys need the flag before the password."""
        self.user(account)
        self.replace(self.dn(account), servicePrincipalName=names,
                     msDS_SupportedEncryptionTypes=AES, **more)
        self.password(account)

    def disable(self, account):
        self.replace(self.dn(account),
                     userAccountControl=str(NORMAL | DISABLED))

    def enable(self, account):
        self.replace(self.dn(account), userAccountControl=str(NORMAL))

    def unlock(self, account):
        self.replace(self.dn(account), lockoutTime="0")

    def refused(self):
        """Accounts a domain controller refuses, each for its own reason."""
        for account in ("disabled", "expired", "locked", "mustchange"):
            self.user(account)
        self.disable("disabled")
        self.replace(self.dn("expired"), accountExpires=LONG_AGO)
        self.replace(self.dn("mustchange"), pwdLastSet="0")
        self.replace(self.dn("locked"), ["bypassoperational:0", "relax:0"],
                     lockoutTime=str(samba.unix2nttime(1400000000)),
                     badPwdCount=str(OFTEN))

    def group(self, name, local=False):
        if local:
            kind = samba.dsdb.GTYPE_SECURITY_DOMAIN_LOCAL_GROUP
            self.sam.newgroup(name, grouptype=kind)
        else:
            self.sam.newgroup(name)

    def join(self, name, *members):
        self.sam.add_remove_group_members(name, members)

    def leave(self, name, *members):
        self.sam.add_remove_group_members(
            name, members, add_members_operation=False)

    def crowd(self, account, groups):
        """One user in very many groups."""
        self.user(account)
        base, member = self.sam.domain_dn(), str(self.dn(account))
        for n in range(1, groups + 1):
            name = "G%04d" % n
            self.sam.add({"dn": "CN=%s,CN=Users,%s" % (name, base),
                          "objectClass": "group", "sAMAccountName": name,
                          "member": member})

    def trust(self, realm, sid, password):
        """Lets callers of an MIT realm in, and nobody of ours out.  winbindd
        wants to see a SID, which such a realm does not have."""
        clear = drsblobs.AuthInfoClear()
        secret = list(password.encode("utf-16-le"))
        clear.size = len(secret)
        clear.password = secret
        number = drsblobs.AuthInfoVersion()
        number.size, number.version = 4, 1  # as kadmin numbers its first key
        now = drsblobs.AuthenticationInformationArray()
        now.array = [authentication(lsa.TRUST_AUTH_TYPE_CLEAR, clear),
                     authentication(lsa.TRUST_AUTH_TYPE_VERSION, number)]
        now.count = 2
        keys = drsblobs.trustAuthInOutBlob()
        keys.count = 2
        keys.current = now
        self.sam.add({
            "dn": "CN=%s,CN=System,%s" % (realm, self.sam.domain_dn()),
            "objectClass": "trustedDomain", "trustPartner": realm,
            "flatName": realm, "securityIdentifier": ndr_pack(domain_sid(sid)),
            "trustType": ACTIVE_DIRECTORY,
            "trustDirection": WE_TRUST_THEM, "trustAttributes": "1",
            "msDS-SupportedEncryptionTypes": AES,
            "trustAuthOutgoing": ndr_pack(keys)})

    def keytab(self, file, *principals):
        for principal in principals:
            self.net.export_keytab(keytab=file, principal=principal)

    def sids(self):
        found = self.sam.search(
            expression="(&(objectSid=*)(sAMAccountName=*))",
            attrs=["sAMAccountName", "objectSid"])
        return {str(m["sAMAccountName"]):
                self.sam.schema_format_value(
                    "objectSid", m["objectSid"][0]).decode()
                for m in found}
