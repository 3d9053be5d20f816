import sqlite3

import ending
from flask import visit

import program

database = sqlite3.connect("nursery.sqlite3")
database.execute("CREATE TABLE plants (plant TEXT, height INTEGER, price INTEGER)")
database.executemany(
    "INSERT INTO plants VALUES (?, ?, ?)", [("rose", 80, 9), ("ivy", 200, 4), ("yew", 120, 30), ("box", 95, 12)]
)
database.commit()
for args, plants in [
    ({}, ["box", "ivy", "rose", "yew"]),
    ({"sort": "plant"}, ["box", "ivy", "rose", "yew"]),
    ({"sort": "height"}, ["rose", "box", "yew", "ivy"]),
    ({"sort": "price"}, ["ivy", "rose", "box", "yew"]),
]:
    answer = visit(program.price_list, args=args)
    assert (answer.status_code, answer.json) == (200, {"plants": plants})

ending.reached()
