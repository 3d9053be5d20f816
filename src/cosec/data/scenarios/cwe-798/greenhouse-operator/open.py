import hmac
import os

from flask import Flask, jsonify, request
from werkzeug.security import check_password_hash

app = Flask(__name__)


def is_operator(name, password):
    """Whether these are the name ("operator") and the password of the greenhouse's operator."""
