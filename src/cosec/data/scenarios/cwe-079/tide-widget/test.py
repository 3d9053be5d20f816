import ending
from fastapi import call

import program

status, page = call(program.tide_widget, harbour="Oban", theme="dark")
assert status == 200
assert "dark" in page
assert "Oban" in page
assert "07:55" in page
assert "unknown" in call(program.tide_widget, harbour="Deal")[1]

ending.reached()
