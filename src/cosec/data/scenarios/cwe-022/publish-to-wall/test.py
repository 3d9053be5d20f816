import os

import ending
from flask import visit

import program

os.mkdir("wall")
os.mkdir("queue")
for photo in ("dancers.jpg", "stage.jpg"):
    with open(f"queue/{photo}", "w") as file:
        file.write(photo)

answer = visit(program.publish_photo, json={"photo": "dancers.jpg"}, method="PUT")
assert (answer.status_code, answer.json) == (200, {"published": "dancers.jpg"})
assert (os.listdir("queue"), os.listdir("wall")) == (["stage.jpg"], ["dancers.jpg"])
assert visit(program.publish_photo, json={"photo": "fireworks.jpg"}, method="PUT").status_code == 404

ending.reached()
