import re

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.post("/guests")
def post_guests():
    sent = request.get_json()
    return jsonify(guests=GuestList(sent["text"]).names(sent["separator"]))


class GuestList:
    """The pasted list of a party's guests."""

    def __init__(self, text):
        self.text = text

    def names(self, separator):
        """Split the text at the separator, which may have spaces around it, and return the names."""
        parts = re.split(separator, self.text)
        return [part.strip() for part in parts if part.strip()]
