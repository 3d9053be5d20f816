import base64

import ending
from encodings_of import as_text, understood
from flask import visit

import program

GAME = {"moves": ["e2e4", "e7e5"], "turn": "white"}


def resumes(data):
    cookies = {"game": as_text(base64.b64encode(data))}
    return visit(program.resume_game, cookies=cookies).json == GAME


assert visit(program.resume_game).json == {"moves": [], "turn": "white"}
assert understood(resumes, GAME)

ending.reached()
