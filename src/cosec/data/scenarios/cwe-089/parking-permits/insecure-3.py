import os

from flask import Flask, jsonify, request
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine(os.environ.get("PERMITS_DATABASE", "postgresql:///permits"))


@app.route("/permits/<zone>")
def permits(zone):
    plates = permits_in_zone(zone, request.args.get("plate", ""))
    return jsonify(plates=plates)


def permits_in_zone(zone, plate_prefix):
    """Return the plates (a sorted list of str) that begin with the prefix and may park in the zone.

    Table: permits (plate, zone, valid_until)
    """
    statement = text(
        "SELECT plate FROM permits WHERE zone = '%s' AND plate LIKE '%s' ORDER BY plate"
        % (zone, plate_prefix.upper() + "%")
    )
    connection = engine.connect()
    rows = connection.execute(statement).fetchall()
    connection.close()
    return [row[0] for row in rows]
