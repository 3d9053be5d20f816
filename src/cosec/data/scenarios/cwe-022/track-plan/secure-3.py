import os
from pathlib import Path

PLANS = os.path.abspath("plans")


def answer(start_response, status, body):
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]


def track_plans(environ, start_response):
    """WSGI application of a model railway: the path /yard/west.svg is answered with yard/west.svg in PLANS.

    The status is "200 OK", or "404 Not Found" with the body b"no such plan" for a plan that does not exist.
    """
    wanted = environ["PATH_INFO"].lstrip("/")
    plan = os.path.join(PLANS, wanted)
    if ".." in wanted.split("/") or not os.path.isfile(plan):
        return answer(start_response, "404 Not Found", b"no such plan")
    with open(plan, "rb") as file:
        return answer(start_response, "200 OK", file.read())
