import ending
from flask import visit

import program

answer = visit(program.post_guests, json={"text": "Ann ; Ben;Cleo", "separator": ";"}, method="POST")
assert answer.json == {"guests": ["Ann", "Ben", "Cleo"]}

ending.reached()
