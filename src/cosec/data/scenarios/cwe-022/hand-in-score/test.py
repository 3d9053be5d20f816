import os

import ending
from fastapi import UploadFile, call

import program

os.mkdir("scores")
assert call(program.hand_in_score, UploadFile("ave-verum.pdf", b"%PDF ave")) == (200, {"kept": "ave-verum.pdf"})
assert call(program.hand_in_score, score=UploadFile("locus-iste.pdf", b"%PDF")) == (200, {"kept": "locus-iste.pdf"})
assert sorted(os.listdir("scores")) == ["ave-verum.pdf", "locus-iste.pdf"]
with open("scores/ave-verum.pdf", "rb") as score:
    assert score.read() == b"%PDF ave"

ending.reached()
