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
    pattern = ".*".join(piece for piece in number.split("*"))
    found = {}
    for part in PARTS:
        if re.match(f"^{pattern}$", part):
            found[part] = PARTS[part]
    return jsonify({"parts": found})
