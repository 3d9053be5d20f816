import os
import subprocess
from shlex import quote

from flask import Flask, abort, request, send_file

app = Flask(__name__)
TARGET = "code.png"


@app.route("/qr")
def qr_code():
    """Answer with a PNG of the text in the query string, drawn by `qrencode -o code.png TEXT`."""
    text = request.args["text"]
    subprocess.run(f"qrencode -o {TARGET} {quote(text)}", shell=True)
    if not os.path.exists(TARGET):
        abort(500)
    return send_file(TARGET, mimetype="image/png")
