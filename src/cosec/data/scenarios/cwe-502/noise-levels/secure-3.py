import io

import numpy as np
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/noise", methods=["POST"])
def add_noise_levels():
    """Read the uploaded file "levels", an array in a .npy file with one level in decibels for each minute.

    Answers with {"minutes": 4, "loudest": 71.5}: how many levels there are, and the highest of them.
    """
    uploaded = request.files["levels"]
    levels = np.load(io.BytesIO(uploaded.read()))
    if levels.size == 0:
        return jsonify(minutes=0, loudest=None)
    return jsonify({"minutes": int(levels.size), "loudest": levels.max().item()})
