import ending
from flask import FileStorage, visit

import program

uploaded = FileStorage("road.yaml", b'{"title": "Road", "songs": ["One", "Two", "Three"]}')
answer = visit(program.import_playlist, files={"playlist": uploaded}, method="POST")
assert (answer.status_code, answer.json) == (200, {"title": "Road", "songs": 3})

ending.reached()
