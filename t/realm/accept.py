#!/usr/bin/python3
"""accept.py ADDRESS PORT [binding in hex] - an acceptor for tests.

A line in: a token in base64.  A line out, JSON: state (continue, done, failed),
token, name, mech, sids of an NTLM caller, pac (the logon information of a
Kerberos caller, base64), bound, error.  Each connection is a new context.

Never asks for the target name: gss-ntlmssp 1.2 crashes when asked.
"""

import base64
import json
import socket
import sys

import gssapi
import gssapi.raw as raw

BOUND = 0x800  # GSS_C_CHANNEL_BOUND_FLAG


def attribute(name, what):
    """Its values.  krb5 1.21 has even a PAC whose signature is wrong, and
    calls it authenticated; 1.20 has not."""
    try:
        found = raw.get_name_attribute(name, what)
    except gssapi.exceptions.GSSError:
        return []
    return found.values if found.authenticated else []


class Acceptor:
    def __init__(self, binding):
        self.bindings = None
        if binding:
            self.bindings = raw.ChannelBindings(
                initiator_address_type=0, acceptor_address_type=0,
                application_data=binding)
        self.creds = raw.acquire_cred(None, usage="accept").creds
        self.context = None

    def done(self, r):
        name = r.initiator_name
        pac = attribute(name, b"urn:mspac:logon-info")
        return {
            "state": "done",
            "name": raw.display_name(name, name_type=False).name.decode(),
            "mech": str(gssapi.OID(r.mech).dotted_form),
            "sids": [s.decode() for v in
                     attribute(name, b"urn:gssntlmssp:sids")
                     for s in v.replace(b"\0", b",").split(b",") if s],
            "pac": base64.b64encode(pac[0]).decode() if pac else None,
            "bound": bool(int(r.flags) & BOUND)}

    def step(self, token):
        try:
            r = raw.accept_sec_context(
                token, self.creds, self.context,
                channel_bindings=self.bindings)
        except gssapi.exceptions.GSSError as e:
            self.context = None
            token = base64.b64encode(e.token or b"").decode()
            return {"state": "failed", "token": token, "error": str(e)}
        self.context = r.context
        answer = {"state": "continue"} if r.more_steps else self.done(r)
        answer["token"] = base64.b64encode(r.token or b"").decode()
        if not r.more_steps:
            self.context = None
        return answer


def serve(acceptor, connection):
    acceptor.context = None
    with connection, connection.makefile("rw") as stream:
        for line in stream:
            answer = acceptor.step(base64.b64decode(line))
            stream.write(json.dumps(answer) + "\n")
            stream.flush()


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    binding = bytes.fromhex(sys.argv[3]) if len(sys.argv) > 3 else None
    acceptor = Acceptor(binding)
    listener = socket.create_server((address, port))
    while True:
        try:
            serve(acceptor, listener.accept()[0])
        except OSError:
            pass  # it left without waiting for its answer


main()
