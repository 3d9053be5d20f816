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
        rows = connection.execute(
            "SELECT title FROM books "
            "WHERE author = :author AND binding = :binding AND copies > 0 "
            "ORDER BY title",
            {"author": author, "binding": binding},
        ).fetchall()
    except sqlite3.DatabaseError:
        raise HTTPException(status_code=500, detail="the stock list is not available")
    finally:
        connection.close()
    return [title for (title,) in rows]
