import os

from flask import Flask, abort, request, send_file, send_from_directory

app = Flask(__name__)
MAPS = os.path.realpath("maps")


@app.route("/trail-map")
def trail_map():
    """Answer with the map that ?file= names, such as north-ridge.png; 404 where there is none."""
    name = request.args["file"]
    path = os.path.
