import json

import ending
from django import visit

import program

for url, own in (
    ("https://birds.example.net/heron.jpg", True),
    ("https://img3.birds.example.net/heron.jpg", True),
    ("https://pictures.example.org/heron.jpg", False),
):
    assert json.loads(visit(program.check_picture, GET={"url": url}).text) == {"own": own}, url

ending.reached()
