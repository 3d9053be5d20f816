import ending
from flask import visit

import program

page = visit(program.minutes, args={"mark": "bridge"})
assert page.text == "The *bridge* is closed. The old *bridge* needs paint."
assert "*" not in visit(program.minutes, args={"mark": "tunnel"}).text

ending.reached()
