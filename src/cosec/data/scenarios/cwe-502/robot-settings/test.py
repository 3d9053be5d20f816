import ending
from fastapi import Request, call

import program

complete = b'{"name": "arm-1", "max_speed": 2, "home": [0, 0]}'
assert call(program.check_settings, Request(body=complete)) == (200, {"missing": []})
assert call(program.check_settings, Request(body=b'{"max_speed": 2}')) == (200, {"missing": ["name", "home"]})
assert call(program.check_settings, Request(body=b"{{{"))[0] == 400

ending.reached()
