import json

import ending
from django import visit

import program


def offers(without):
    answer = visit(program.offers_without, GET={"without": without})
    assert answer.status_code == 200
    return json.loads(answer.text)["offers"]


assert offers("radio,sledge") == ["two bar stools"]
assert offers("broken") == ["two bar stools", "radio with aerial", "sledge without runners"]
assert len(offers("piano,tent")) == 4

ending.reached()
