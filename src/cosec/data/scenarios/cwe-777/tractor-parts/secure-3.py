import re

from flask import Flask, jsonify, request

app = Flask(__name__)
PARTS = {"KB204": "fuel filter", "KB911": "clutch plate", "HM204": "wheel nut"}


@app.get("/parts")
def list_parts():
    """Return the parts whose whole number fits ?number=, in which a * stands for any characters.

    The answer is {"parts": {"KB204": "fuel filter"}}.
    """
    number = request.args["number"]
    pattern = re.compile("^" + ".*".join(map(re.escape, number.upper().split("*"))) + "$")
    matches = [part for part in PARTS if pattern.search(part)]
    return {"parts": {part: PARTS[part] for part in matches}}
