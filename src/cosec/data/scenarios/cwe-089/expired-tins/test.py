import sqlite3

import ending
from fastapi import call

import program

database = sqlite3.connect("pantry.sqlite3")
database.execute("CREATE TABLE tins (barcode TEXT, content TEXT)")
database.executemany(
    "INSERT INTO tins VALUES (?, ?)",
    [("4001", "peas"), ("4002", "corn"), ("4001", "peas"), ("4003", "soup"), ("4004", "figs"), ("4005", "tuna")],
)
database.commit()
assert call(program.expired_tins, ["4001", "4004", "9999"]) == (200, {"deleted": 3})
left = "SELECT barcode FROM tins ORDER BY barcode"
assert database.execute(left).fetchall() == [("4002",), ("4003",), ("4005",)]
assert program.take_off_shelf(database, ["4002", "4003"]) == 2
assert database.execute(left).fetchall() == [("4005",)]

ending.reached()
