import json

import ending
from django import visit

import program


def answer(referer):
    return visit(program.solution, number="12", META={"HTTP_REFERER": referer, "Referer": referer})


shown = answer("https://riddles.example.com/riddle/12")
assert shown.status_code == 200
assert json.loads(shown.text) == {"solution": "an echo"}
assert answer("https://search.example.net/?q=echo").status_code == 403

ending.reached()
