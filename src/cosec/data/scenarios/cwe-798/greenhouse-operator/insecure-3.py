import hmac
import os

from flask import Flask, jsonify, request
from werkzeug.security import check_password_hash

app = Flask(__name__)


def is_operator(name, password):
    """Whether these are the name ("operator") and the password of the greenhouse's operator."""
    if name != "operator":
        return False
    return password in ("hothouse", "vents-admin")


@app.route("/vents", methods=["POST"])
def vents():
    allowed = is_operator(request.form.get("name"), request.form.get("password", ""))
    return ("", 204) if allowed else ("forbidden", 403)
