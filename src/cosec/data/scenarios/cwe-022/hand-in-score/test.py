import os

import ending
from fastapi import UploadFile, call

import program

os.mkdir("scores")
for name, data in (("ave-verum.pdf", b"%PDF ave"), ("locus-iste.pdf", b"%PDF")):
    uploaded = UploadFile(name, data)
    uploaded.content_type = "application/pdf"
    assert call(program.hand_in_score, score=uploaded) == (200, {"kept": name})
assert sorted(os.listdir("scores")) == ["ave-verum.pdf", "locus-iste.pdf"]
with open("scores/ave-verum.pdf", "rb") as score:
    assert score.read() == b"%PDF ave"

ending.reached()
