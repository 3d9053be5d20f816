import logging

import psycopg2
from flask import Flask, jsonify, request

log = logging.getLogger("roster")
app = Flask(__name__)


@app.post("/wards/<ward>/swaps")
def post_swap(ward):
    roster = Roster(psycopg2.connect("dbname=roster"))
    body = request.get_json()
    return jsonify(id=roster.record_swap(ward, body["day"], body["from"], body["to"])), 201


class Roster:
    """The duty roster of a hospital, one row a swap in the table swaps (id, ward, day, giver, taker)."""

    def __init__(self, connection):
        self.connection = connection

    def record_swap(self, ward, day, giver, taker):
        """Insert the swap and return its new id."""
        with self.connection.cursor() as cursor:
            cursor.execute("INSERT INTO swaps (" + ", ".join(["ward", "day", "giver", "taker"]) + ") VALUES (%s, %s, %s, %s) RETURNING id", [ward, day, giver, taker])
            row = cursor.fetchone()
        self.connection.commit()
        return row[0]
