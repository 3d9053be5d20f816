from html import escape

from flask import Flask, request

app = Flask(__name__)
entries = []


@app.route("/guest-book", methods=["GET", "POST"])
def guest_book():
    """Add the posted entry (fields "guest" and "wish"), then show all entries as <li>GUEST: WISH</li> in a <ul>."""
    if request.method == "POST":
        entries.append((request.form["guest"], request.form["wish"]))
    items = ""
    for guest, wish in entries:
        items += f"<li>{escape(guest)}: {escape(wish)}</li>"
    return "<ul>" + items + "</ul>"
