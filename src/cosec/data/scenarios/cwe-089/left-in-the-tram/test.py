import re

import ending
import psycopg2
from flask import visit

import program


def execute(cursor, sql, params=None, run=psycopg2.Cursor.execute):
    """What PostgreSQL knows and SQLite does not."""
    sql = re.sub(r"\bILIKE\b", "LIKE", str(sql), flags=re.IGNORECASE)
    sql = re.sub(r"\bposition\((.+?) in (\w+)\)", r"instr(\2, \1)", sql, flags=re.IGNORECASE)
    return run(cursor, sql, params)


psycopg2.Cursor.execute = execute
psycopg2.DATABASE.create_function("strpos", 2, lambda text, part: text.find(part) + 1)
psycopg2.DATABASE.create_function("concat", -1, lambda *parts: "".join(parts))
psycopg2.DATABASE.execute("CREATE TABLE items (id INTEGER, description TEXT, claimed_by TEXT)")
psycopg2.DATABASE.executemany(
    "INSERT INTO items VALUES (?, ?, ?)",
    [
        (5, "red umbrella", None),
        (2, "bag with red wool", None),
        (4, "red hat", "lee"),
        (3, "black umbrella", None),
        (1, "keys", None),
    ],
)
assert program.unclaimed_items(psycopg2.connect("dbname=tramdepot")) == [1, 2, 3, 5]
assert program.unclaimed_items(psycopg2.connect("dbname=tramdepot"), "umbrella") == [3, 5]
assert visit(program.lost_property, args={"word": "red"}).json == {"ids": [2, 5]}
assert visit(program.lost_property).json == {"ids": [1, 2, 3, 5]}

ending.reached()
