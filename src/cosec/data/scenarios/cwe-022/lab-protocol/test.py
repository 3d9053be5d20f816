import os

os.makedirs("protocols/pcr")
with open("protocols/pcr/gel.md", "w") as protocol:
    protocol.write("Pour the gel.")

import ending
from fastapi import call

import program

assert call(program.read_protocol, "pcr/gel") == (200, "Pour the gel.")
assert call(program.read_protocol, "pcr/primer")[0] == 404

ending.reached()
