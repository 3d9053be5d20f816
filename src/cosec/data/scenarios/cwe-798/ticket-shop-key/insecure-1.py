import os
import secrets

from flask import Flask, jsonify


def create_app():
    """Make the ticket shop's application; its SECRET_KEY signs the sessions in which visitors keep their seats."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "s3ats-and-r0ws"

    @app.get("/health")
    def health():
        return jsonify(state="up")

    return app
