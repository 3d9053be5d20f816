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
        parts = re.split(r"\s*" + re.escape(separator) + r"\s*", self.text)
        return [part for part in parts if part]
