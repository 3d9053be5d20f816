import ending
import commands
from flask import visit

import program

commands.install("qrencode", also="printf PNG > \"$2\"")
answer = visit(program.qr_code, args={"text": "room 12"})
assert (answer.status_code, answer.data) == (200, b"PNG")
assert commands.calls("qrencode") == [["-o", "code.png", "room 12"]]

ending.reached()
