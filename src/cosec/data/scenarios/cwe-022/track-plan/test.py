import os

import ending

import program

os.makedirs("plans/yard")
with open("plans/yard/west.svg", "wb") as plan:
    plan.write(b"<svg>points</svg>")


def get(path):
    statuses = []
    body = program.track_plans({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda status, _: statuses.append(status))
    return statuses, b"".join(body)


assert get("/yard/west.svg") == (["200 OK"], b"<svg>points</svg>")
assert get("/yard/east.svg") == (["404 Not Found"], b"no such plan")

ending.reached()
