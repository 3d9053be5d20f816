import logging

from flask import Flask, jsonify, request

app = Flask(__name__)
log = logging.getLogger("gate")
CODES = {"4711", "0815"}


@app.route("/gate/open", methods=["POST"])
def open_gate():
    """Open the gate for a known code; log every other code with a warning and answer with status 403."""
    code = request.form.get("code", "")
    if code in CODES:
        return jsonify(open=True)
    log.warning("wrong code %s", code)
    return jsonify(open=False), 403
