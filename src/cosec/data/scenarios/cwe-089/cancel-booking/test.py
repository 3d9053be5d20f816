import ending
from django.db import connection
from django import visit

import program

connection.sqlite.execute("CREATE TABLE bookings (code TEXT, court TEXT, state TEXT)")
connection.sqlite.executemany(
    "INSERT INTO bookings VALUES (?, ?, 'open')", [("X1", "centre"), ("X2", "centre"), ("X1", "two")]
)
answer = visit(program.cancel_booking, court="centre", POST={"code": "X1"})
assert (answer.status_code, answer.text) == (200, "cancelled")
states = connection.sqlite.execute("SELECT code, court, state FROM bookings ORDER BY rowid").fetchall()
assert states == [("X1", "centre", "cancelled"), ("X2", "centre", "open"), ("X1", "two", "open")]
assert visit(program.cancel_booking, court="two", POST={"code": "X9"}).status_code == 404

ending.reached()
