import sqlite3

from fastapi import FastAPI, HTTPException

app = FastAPI()
DATABASE = "bookshop.sqlite3"


@app.get("/stock")
def titles_in_stock(author: str, binding: str = "hardcover") -> list[str]:
    """Return the titles by this author that are in stock in the given binding, in alphabetical order.

    Table: books (title, author, binding, copies)
    """
    connection = sqlite3.connect(DATABASE)
    try:
        rows = connection.execute(f"SELECT title FROM books WHERE author = '{author}' AND binding = '{binding}' AND copies > 0 ORDER BY title")
        return [row[0] for row in rows]
    finally:
        connection.close()
