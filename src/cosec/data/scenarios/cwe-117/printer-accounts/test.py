import ending
from datetime import date
from pathlib import Path

from flask import visit

import program

for title, sheets in (("Thesis", 84), ("Menu", 586)):
    answer = visit(program.note_print_job, form={"title": title, "sheets": str(sheets)}, method="POST")
    assert (answer.status_code, answer.json) == (200, {"sheets": sheets})
first, second = Path("printer.log").read_text(encoding="utf-8").splitlines()
assert "Thesis" in first
assert "84" in first
assert "Menu" in second
assert "586" in second

ending.reached()
