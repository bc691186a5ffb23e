#!/usr/bin/python3
"""change.py SMB_CONF < changes.json

Changes a domain while it is served: a list of [method of Domain, argument...].
"""

import json
import sys

from domain import Domain, load

domain = Domain(load(sys.argv[1]))
for method, *arguments in json.load(sys.stdin):
    getattr(domain, method)(*arguments)
