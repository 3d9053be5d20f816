import subprocess

from flask import Flask, request

app = Flask(__name__)


@app.route("/print", methods=["POST"])
def print_document():
    """Send an uploaded document to the printer that the visitor chose."""
    printer = request.form["printer"]
    copies = request.form.get("copies", "1")
    command =