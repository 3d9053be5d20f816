import io
import json

import ending
from django import visit
from encodings_of import understood

import program

STAMPS = [{"country": "Peru", "year": 1936}, {"country": "Chile", "year": 1910}, {"country": "Peru", "year": 1951}]


class Uploaded(io.BytesIO):
    """What Django gives a view for an uploaded file."""

    name, content_type, charset = "stamps.json", "application/octet-stream", None

    def __init__(self, data):
        super().__init__(data)
        self.size, self.file = len(data), self

    def chunks(self, chunk_size=None):
        yield self.read()

    def multiple_chunks(self, chunk_size=None):
        return False

    def open(self, mode=None):
        self.seek(0)
        return self


def imports(data):
    answer = visit(program.import_stamps, POST={}, FILES={"collection": Uploaded(data)})
    return answer.status_code == 200 and json.loads(answer.text) == {"stamps": 3, "countries": ["Chile", "Peru"]}


assert understood(imports, STAMPS)

ending.reached()
