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
        output = subprocess.check_output(f"sha256sum {shlex.quote(path)}", shell=True)
        digest, _, _ = output.decode().partition(" ")
        return digest == self.published.get(model)


@app.route("/firmware/check")
def check_firmware():
    shelf = FirmwareShelf(app.config["PUBLISHED"])
    return jsonify(genuine=shelf.is_genuine(request.args["path"], request.args["model"]))
