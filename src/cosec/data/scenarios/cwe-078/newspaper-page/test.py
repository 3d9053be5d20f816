import ending
import commands
from fastapi import call

import program

commands.install("pdftotext", prints="Flood in the valley")
assert call(program.page_text, "1911-08-03", 4) == (200, {"text": "Flood in the valley"})
assert commands.calls("pdftotext") == [["-f", "4", "-l", "4", "1911-08-03.pdf", "-"]]
commands.install("pdftotext", exit_code=1)
assert call(program.page_text, "1911-08-04", 90)[0] == 404

ending.reached()
