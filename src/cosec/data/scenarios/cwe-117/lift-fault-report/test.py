import log_lines

log_lines.keep()

import ending
from flask import visit

import program

assert visit(program.post_fault, "B", json={"text": "the doors squeak"}, method="POST").json == {"urgency": 2}
assert visit(program.post_fault, "C", json={"text": "Stuck at 3!"}, method="POST").json == {"urgency": 1}
assert "B" in log_lines.WRITTEN[0]
assert "the doors squeak" in log_lines.WRITTEN[0]
assert "Stuck at 3!" in log_lines.WRITTEN[1]

ending.reached()
