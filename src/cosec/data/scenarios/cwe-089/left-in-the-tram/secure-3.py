import psycopg2
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/lost-property")
def lost_property():
    connection = psycopg2.connect("dbname=tramdepot")
    return jsonify(ids=unclaimed_items(connection, request.args.get("word")))


def unclaimed_items(connection, word=None):
    """Return the ids of the things that nobody has claimed, in ascending order.

    If there is a word, only those with the word in their description. Table: items (id, description, claimed_by)
    """
    cursor = connection.cursor()
    query = "SELECT id FROM items WHERE claimed_by IS NULL"
    if word:
        query += " AND description LIKE '%%' || %s || '%%'"
    query += " ORDER BY id"
    parameters = (word,) if word else None
    cursor.execute(query, parameters)
    rows = cursor.fetchall()
    cursor.close()
    return [row[0] for row in rows]
