import hmac
import os

from flask import Flask, jsonify, request
from werkzeug.security import check_password_hash

app = Flask(__name__)


def is_operator(name, password):
    """Whether these are the name ("operator") and the password of the greenhouse's operator."""
    if name != "operator":
        return False
    return password == os.environ["OPERATOR_PASSWORD"]


@app.post("/vents/open")
def open_vents():
    if not is_operator(request.form["name"], request.form["password"]):
        return jsonify(error="wrong name or password"), 403
    return jsonify(vents="open")
