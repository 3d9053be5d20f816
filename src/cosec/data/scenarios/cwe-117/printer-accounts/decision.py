import json
from datetime import date

from flask import Flask, request

app = Flask(__name__)


@app.route("/printed", methods=["POST"])
def note_print_job():
    """Add a line with the day, the title and the number of sheets to printer.log; answer with {"sheets": SHEETS}."""
    title = request.form["title"]
    sheets = int(request.form["sheets"])
    with open("printer.log", "a", encoding="utf-8") as log:
        log.write(
