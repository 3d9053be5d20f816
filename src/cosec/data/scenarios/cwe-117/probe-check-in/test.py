import log_lines

log_lines.keep()

import ending
from fastapi import call

import program

assert call(program.check_in, 31, x_firmware="2.4.1") == (200, {"sleep": 600})
(line,) = log_lines.WRITTEN
assert "31" in line
assert "2.4.1" in line

ending.reached()
