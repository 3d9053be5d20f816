import ending
import psycopg2
from flask import visit

import program

psycopg2.DATABASE.execute(
    "CREATE TABLE swaps (id INTEGER PRIMARY KEY, ward TEXT, day TEXT, giver TEXT, taker TEXT)"
)
psycopg2.DATABASE.execute("INSERT INTO swaps VALUES (6, 'A1', '2024-05-01', 'kim', 'lee')")
answer = visit(program.post_swap, "B2", json={"day": "2024-05-02", "from": "ada", "to": "bob"}, method="POST")
assert answer.status_code == 201
assert answer.json == {"id": 7}
rows = psycopg2.DATABASE.execute("SELECT ward, day, giver, taker FROM swaps WHERE id = 7").fetchall()
assert rows == [("B2", "2024-05-02", "ada", "bob")]

ending.reached()
