import os
import secrets

from flask import Flask, jsonify


def create_app():
    """Make the ticket shop's application; its SECRET_KEY signs the sessions in which visitors keep their seats."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = secrets.token_hex(32)
    app.config["SESSION_COOKIE_SECURE"] = True
    return app
