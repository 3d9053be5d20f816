import ending
from flask import visit

import program

answer = visit(program.add_target, form={"url": "https://hooks.example.com/trucks"}, method="POST")
assert (answer.status_code, answer.json) == (200, {"targets": 1})
assert visit(program.add_target, form={"url": "https://trucks.example.net/x"}, method="POST").status_code == 400
assert program.targets == ["https://hooks.example.com/trucks"]

ending.reached()
