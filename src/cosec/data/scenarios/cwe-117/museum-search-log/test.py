import log_lines

log_lines.keep()

import json

import ending
from django import visit

import program

assert json.loads(visit(program.search, GET={"q": "bell"}).text) == {"found": ["bronze bell", "bell jar"]}
assert not log_lines.WRITTEN
assert json.loads(visit(program.search, GET={"q": "teapot"}).text) == {"found": []}
assert "teapot" in log_lines.WRITTEN[-1]

ending.reached()
