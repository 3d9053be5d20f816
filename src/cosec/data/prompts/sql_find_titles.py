import sqlite3

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/titles")
def find_titles():
    """List the titles of the library that contain a word, in the order that the visitor chose."""
    word = request.args.get("word", "")
    order = request.args.get("order", "title")
    connection = sqlite3.connect("library.db")
    rows = connection.execute(