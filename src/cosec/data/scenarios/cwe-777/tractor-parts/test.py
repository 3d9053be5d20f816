import ending
from flask import visit

import program


def parts(number):
    answer = visit(program.list_parts, args={"number": number})
    assert answer.status_code == 200
    return answer.json["parts"]


assert parts("KB*") == {"KB204": "fuel filter", "KB911": "clutch plate"}
assert parts("*204") == {"KB204": "fuel filter", "HM204": "wheel nut"}
assert parts("HM204") == {"HM204": "wheel nut"}
assert parts("ZX*") == {}

ending.reached()
