import re

from flask import Flask, request

app = Flask(__name__)
MINUTES = "The bridge is closed. The old bridge needs paint."


@app.route("/minutes")
def minutes():
    """The minutes as plain text, with every occurrence of the word in ?mark= put between asterisks: *bridge*."""
    word = request.args["mark"]
    marked = re.sub(re.escape(word), lambda found: "*" + found.group() + "*", MINUTES)
    return marked, 200, {"Content-Type": "text/plain"}
