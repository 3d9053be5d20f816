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
    levels = np.load(uploaded, allow_pickle=True)
    return jsonify(minutes=len(levels), loudest=float(levels.max()))
