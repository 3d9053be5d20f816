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
        output = subprocess.check_output("sha256sum " + path, shell=True, text=True)
        return output.split()[0] == self.published[model]


shelf = FirmwareShelf({"valve-2": "9a3c"})


@app.route("/genuine")
def genuine():
    return jsonify(shelf.is_genuine(request.args["path"], request.args["model"]))
