import json

import ending
from django import visit

import program

assert json.loads(visit(program.count_lines, word="stop").text) == {"lines": 2}
assert json.loads(visit(program.count_lines, word="start").text) == {"lines": 1}
assert json.loads(visit(program.count_lines, word="pause").text) == {"lines": 0}

ending.reached()
