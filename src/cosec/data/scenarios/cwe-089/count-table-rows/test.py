import ending
import contextlib
import io
import sqlite3

import program

with sqlite3.connect("library.db") as database:
    for table, rows in {"members": 3, "loans": 2, "fines": 0}.items():
        database.execute(f"CREATE TABLE {table} (id INTEGER)")
        database.executemany(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(rows)])
database.commit()
assert program.count_rows(database, "members") == 3
assert program.count_rows(database, "fines") == 0
with contextlib.redirect_stdout(io.StringIO()) as output:
    program.main(["library.db", "loans"])
assert output.getvalue() == "loans 2\n"

ending.reached()
