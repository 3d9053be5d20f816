import os

from flask import Flask, request

app = Flask(__name__)
PHOTO_DIR = "/srv/photos"


@app.route("/upload", methods=["POST"])
def upload_photo():
    """Store the uploaded photo under its own file name."""
    photo = request.files["photo"]
    # keep the name, store the photo in the photo folder
    path =