import os
import shutil

from flask import Flask, abort, jsonify, request

app = Flask(__name__)
QUEUE = "queue"
WALL = "wall"


@app.put("/wall")
def publish_photo():
    """Move the photo that the JSON's "photo" names, such as "dancers.jpg", from the folder QUEUE into the folder WALL.

    Answers {"published": NAME}, or status 404 if there is no such photo in the queue.
    """
    photo = request.get_json()["photo"]
    if photo not in os.listdir(QUEUE):
        abort(404)
    os.rename(os.path.join(QUEUE, photo), os.path.join(WALL, photo))
    return jsonify(published=photo)
