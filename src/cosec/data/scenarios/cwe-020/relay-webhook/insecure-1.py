import re

from flask import Flask, jsonify, request

app = Flask(__name__)
targets = []


@app.route("/relay", methods=["POST"])
def add_target():
    """Remember the posted "url" if it is below https://hooks.example.com/; answer with status 400 otherwise."""
    url = request.form["url"]
    pattern = re.compile(r"https://hooks.example.com/")
    if not pattern.match(url):
        return jsonify(error="not one of ours"), 400
    targets.append(url)
    return jsonify(targets=len(targets))
