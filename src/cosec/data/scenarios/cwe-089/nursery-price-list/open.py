import sqlite3

from flask import Flask, abort, jsonify, request

app = Flask(__name__)


@app.get("/price-list")
def price_list():
    """Answer with the names of all plants as JSON, {"plants": ["ivy", "rose"]}, in ascending order of ?sort=.

    That is one of plant, height and price; plant where it is not given. Table: plants (plant, height, price)
    """
