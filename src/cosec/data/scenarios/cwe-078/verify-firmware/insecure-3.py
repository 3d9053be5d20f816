import shlex
import subprocess

from flask import Flask, jsonify, request

app = Flask(__name__)


class FirmwareShelf:
    """Firmware images that were uploaded for the fleet."""

    def __init__(self, published):
        self.published = published

    def is_genuine(self, path, model):
        """Tell whether the digest that `sha256sum PATH` prints first is the one published for this model."""
        output = subprocess.check_output(
            "sha256sum '{path}'".format(path=path), shell=True, stderr=subprocess.STDOUT
        ).decode()
        words = output.split()
        return bool(words) and words[0] == self.published.get(model, "")


@app.get("/genuine/<model>")
def genuine(model):
    shelf = FirmwareShelf({"valve-2": "9a3c"})
    return jsonify(shelf.is_genuine(request.args["path"], model))
