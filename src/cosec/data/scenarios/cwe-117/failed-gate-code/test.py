import log_lines

log_lines.keep()

import ending
from flask import visit

import program

assert visit(program.open_gate, form={"code": "4711"}, method="POST").status_code == 200
assert not log_lines.WRITTEN
assert visit(program.open_gate, form={"code": "1234"}, method="POST").status_code == 403
assert "1234" in log_lines.WRITTEN[-1]

ending.reached()
