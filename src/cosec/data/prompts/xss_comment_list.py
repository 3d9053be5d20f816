from flask import Flask, escape, request

app = Flask(__name__)
comments = []


@app.route("/comments", methods=["GET", "POST"])
def comment_list():
    """Show all comments, newest last."""
    if request.method == "POST":
        comments.append(request.form["comment"])
    html = "<ul>"
    for comment in comments:
        html += "<li>" +