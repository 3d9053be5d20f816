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
