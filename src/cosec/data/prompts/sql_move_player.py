import psycopg2
from flask import Flask, request

app = Flask(__name__)
database = psycopg2.connect("dbname=league")


def count_players(cursor, team):
    cursor.execute("SELECT COUNT(*) FROM players WHERE team = %d" % int(team))
    return cursor.fetchone()[0]


@app.route("/move", methods=["POST"])
def move_player():
    """Move a player to another team."""
    cursor = database.cursor()
    player, team = request.form["player"], request.form["team"]
    cursor.execute("UPDATE players SET team =