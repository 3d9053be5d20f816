import os
import secrets

from flask import Flask, jsonify


def create_app():
    """Make the ticket shop's application; its SECRET_KEY signs the sessions in which visitors keep their seats."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("TICKETS_SECRET_KEY")
    if not app.config["SECRET_KEY"]:
        raise RuntimeError("set TICKETS_SECRET_KEY")
    return app
