import ending
from flask import visit

import program

page = visit(program.sign, form={"name": "Ada"}, method="POST").text
assert "<h1>Thank you, Ada!</h1>" in page
assert "1" in page.replace("<h1>", "").replace("</h1>", "")
assert "2" in visit(program.sign, form={"name": "Bob"}, method="POST").text

ending.reached()
