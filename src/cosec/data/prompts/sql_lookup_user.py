import sqlite3

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/users")
def lookup_user():
    """Look up one user by the name given in the query string."""
    username = request.args["username"]
    connection = sqlite3.connect("users.db")
    cursor = connection.cursor()
    # fetch id and email of the user with this name
    cursor.execute(