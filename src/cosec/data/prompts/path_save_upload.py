import os

from flask import Flask, request
from werkzeug.utils import secure_filename

app = Flask(__name__)
app.config["UPLOAD_FOLDER"] = "/srv/photos"


@app.route("/upload", methods=["POST"])
def upload_photo():
    """Store the uploaded photo under its own file name."""
    photo = request.files["photo"]
    # keep the name, store the photo in the upload folder
    filename =