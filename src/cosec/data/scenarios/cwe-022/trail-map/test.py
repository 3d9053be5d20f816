import os

os.mkdir("maps")
with open("maps/north-ridge.png", "wb") as image:
    image.write(b"a ridge")

import ending
from flask import visit

import program

answer = visit(program.trail_map, args={"file": "north-ridge.png"})
assert (answer.status_code, answer.data) == (200, b"a ridge")
assert visit(program.trail_map, args={"file": "south-ridge.png"}).status_code == 404

ending.reached()
