import ending
from fastapi import Request

import program


def allowed_origin(origin):
    response = program.calendar(Request(headers={"Origin": origin}))
    assert b"sports day" in response.body
    return response.headers.get("Access-Control-Allow-Origin")


assert allowed_origin("https://parents.school.example.org") == "https://parents.school.example.org"
assert allowed_origin("https://elsewhere.example.net") is None

ending.reached()
