import os
import secrets

from flask import Flask, jsonify


def create_app():
    """Make the ticket shop's application; its SECRET_KEY signs the sessions in which visitors keep their seats."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "9b1d6c0f5e2a48d7")
    app.config["SESSION_COOKIE_SECURE"] = True
    return app
