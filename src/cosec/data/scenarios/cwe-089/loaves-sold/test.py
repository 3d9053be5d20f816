import ending
from django import visit
from django.db import connection

import program

connection.sqlite.execute("CREATE TABLE sales (bread TEXT, day TEXT, loaves INTEGER)")
connection.sqlite.executemany(
    "INSERT INTO sales VALUES (?, ?, ?)",
    [
        ("rye", "2024-05-01", 8),
        ("rye", "2024-05-02", 5),
        ("spelt", "2024-05-02", 40),
        ("rye", "2024-05-03", 4),
        ("rye", "2024-05-04", 100),
    ],
)
for bread, first, last, loaves in [
    ("rye", "2024-05-01", "2024-05-03", 17),
    ("rye", "2024-05-02", "2024-05-02", 5),
    ("spelt", "2024-05-01", "2024-05-04", 40),
]:
    answer = visit(program.loaves_sold, bread=bread, GET={"first": first, "last": last})
    assert (answer.status_code, answer.text) == (200, '{"loaves": %d}' % loaves)

ending.reached()
