from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)
TITLES = ["Walden", "Emma", "Dracula"]


@app.route("/search")
def search():
    """Show what was searched for, and the titles that contain it."""
    words = request.args.get("q", "")
    found = [title for title in TITLES if words.lower() in title.lower()]
    return f"<h1>