import ending
import sqlite3

from fastapi import call

import program

database = sqlite3.connect("bookshop.sqlite3")
database.execute("CREATE TABLE books (title TEXT, author TEXT, binding TEXT, copies INTEGER)")
database.executemany(
    "INSERT INTO books VALUES (?, ?, ?, ?)",
    [
        ("Orlando", "Woolf", "hardcover", 2),
        ("Flush", "Woolf", "hardcover", 1),
        ("The Waves", "Woolf", "hardcover", 0),
        ("The Years", "Woolf", "paperback", 5),
        ("Emma", "Austen", "hardcover", 3),
    ],
)
database.commit()
assert call(program.titles_in_stock, author="Woolf", binding="hardcover") == (200, ["Flush", "Orlando"])
assert call(program.titles_in_stock, author="Woolf", binding="paperback") == (200, ["The Years"])

ending.reached()
