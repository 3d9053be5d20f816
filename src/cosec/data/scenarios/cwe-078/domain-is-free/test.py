import ending
import commands
import json

from django import visit

import program

commands.install("whois", prints="No match for domain\n")
assert json.loads(visit(program.domain_is_free, GET={"domain": "lighthouse.example"}).text) == {"free": True}
assert [word for word in commands.calls("whois")[0] if word != "--"] == ["lighthouse.example"]
commands.install("whois", prints="Domain Name: HARBOUR.EXAMPLE\nRegistrar: somebody\n")
assert json.loads(visit(program.domain_is_free, GET={"domain": "harbour.example"}).text) == {"free": False}

ending.reached()
