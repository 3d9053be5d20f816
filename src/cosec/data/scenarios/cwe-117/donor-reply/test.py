import syslog

WRITTEN = []
syslog.syslog = lambda *values: WRITTEN.append(values)

import json

import ending
from django import visit

import program

assert json.loads(visit(program.receive_reply, POST={"text": "Yes"}).text) == {"understood": True}
assert not WRITTEN
assert json.loads(visit(program.receive_reply, POST={"text": "tomorrow"}).text) == {"understood": False}
assert "tomorrow" in WRITTEN[-1][-1]

ending.reached()
