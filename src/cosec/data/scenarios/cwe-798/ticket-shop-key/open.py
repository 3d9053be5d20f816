import os
import secrets

from flask import Flask, jsonify


def create_app():
    """Make the ticket shop's application; its SECRET_KEY signs the sessions in which visitors keep their seats."""
