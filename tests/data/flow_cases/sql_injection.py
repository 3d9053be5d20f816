# case: helper wraps the source and another the sink
from flask import Flask, request
import sqlite3

app = Flask(__name__)


def field(name, default=""):
    return request.args.get(name, default)


def run(statement, *values):
    with sqlite3.connect("shop.db") as db:
        return db.execute(statement, values).fetchall()  # expect: py/sql-injection


@app.route("/products")
def products():
    term = field("term").strip()
    return {"rows": run("SELECT * FROM products WHERE name LIKE '%" + term + "%'")}
# case: helper wraps the sink and gets values apart from the text
from flask import Flask, request
import sqlite3

app = Flask(__name__)


def run(statement, *values):
    with sqlite3.connect("shop.db") as db:
        return db.execute(statement, values).fetchall()


@app.route("/products")
def products():
    term = request.args.get("term", "")
    return {"rows": run("SELECT * FROM products WHERE name LIKE ?", f"%{term}%")}
# case: column from an allow list with a default
from flask import request
import sqlite3

COLUMNS = {"name", "price"}


def listing():
    order = request.args.get("order", "name")
    if order not in COLUMNS:
        order = "name"
    return sqlite3.connect("s.db").execute(f"SELECT * FROM products ORDER BY {order}").fetchall()
# case: column looked up in a table of constants
from flask import request
import sqlite3

ORDERS = {"new": "created DESC", "old": "created ASC"}


def listing(db: sqlite3.Connection):
    clause = ORDERS.get(request.args.get("order"), ORDERS["new"])
    return db.execute("SELECT * FROM notes ORDER BY " + clause).fetchall()
# case: lookup that falls back on the raw text
from flask import request
import sqlite3

ORDERS = {"new": "created DESC", "old": "created ASC"}


def listing(db: sqlite3.Connection):
    order = request.args.get("order")
    clause = ORDERS.get(order, order)
    return db.execute("SELECT * FROM notes ORDER BY " + clause).fetchall()  # expect: py/sql-injection
# case: Django view with a cursor and percent formatting
from django.db import connection
from django.http import JsonResponse


def orders(request):
    customer = request.GET["customer"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM orders WHERE customer = '%s'" % customer)  # expect: py/sql-injection
        return JsonResponse({"ids": cursor.fetchall()})
# case: Django raw with params
from django.http import JsonResponse
from shop.models import Order


def orders(request):
    found = Order.objects.raw("SELECT * FROM orders WHERE customer = %s", [request.GET["customer"]])
    return JsonResponse({"ids": [order.id for order in found]})
# case: FastAPI integer parameter and text parameter
from fastapi import FastAPI
from sqlalchemy import create_engine, text

app = FastAPI()
engine = create_engine("sqlite:///x.db")


@app.get("/users/{user_id}")
async def user(user_id: int):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM users WHERE id = {user_id}")).first()


@app.get("/search")
async def search(name: str = ""):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM users WHERE name = '{name}'")).all()  # expect: py/sql-injection
# case: library function that builds a statement from its parameter
def find_member(connection, surname):
    cursor = connection.cursor()
    query = "SELECT * FROM members WHERE surname = '{}'".format(surname)
    cursor.execute(query)  # expect: py/sql-injection
    return cursor.fetchall()
# case: placeholders built from the number of values
def find_members(connection, identifiers):
    marks = ", ".join("?" for _ in identifiers)
    return connection.execute(f"SELECT * FROM members WHERE id IN ({marks})", list(identifiers)).fetchall()
# case: values joined into the statement
def find_members(connection, names):
    quoted = ", ".join(f"'{name}'" for name in names)
    return connection.execute("SELECT * FROM members WHERE name IN (" + quoted + ")").fetchall()  # expect: py/sql-injection
# case: class that keeps the text from its constructor
import sqlite3


class Search:
    def __init__(self, term):
        self.term = term
        self.database = sqlite3.connect("catalogue.db")

    def statement(self):
        return f"SELECT title FROM books WHERE title LIKE '%{self.term}%'"

    def titles(self):
        return self.database.execute(self.statement()).fetchall()  # expect: py/sql-injection
# case: command line option of type int
import argparse
import sqlite3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--order", choices=["name", "size"], default="name")
    options = parser.parse_args()
    with sqlite3.connect("files.db") as db:
        return db.execute(f"SELECT * FROM files ORDER BY {options.order} LIMIT {options.limit}").fetchall()
# case: command line text in a statement
import sqlite3
import sys


def main():
    owner = sys.argv[1]
    sql = "DELETE FROM files WHERE owner = "
    sql += "'" + owner + "'"
    with sqlite3.connect("files.db") as db:
        db.execute(sql)  # expect: py/sql-injection


if __name__ == "__main__":
    main()
# case: number checked by conversion before the raw text is used
from flask import Flask, request, abort
import sqlite3

app = Flask(__name__)


@app.get("/page")
def page():
    number = request.args["n"]
    try:
        int(number)
    except ValueError:
        abort(400)
    return {"rows": sqlite3.connect("x.db").execute("SELECT * FROM t LIMIT " + number).fetchall()}
# case: identifier composed by psycopg2
from psycopg2 import sql


def count(connection, table):
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        return cursor.fetchone()[0]
# case: text overwritten before use
from flask import request
import sqlite3


def greeting():
    name = request.args.get("name")
    name = "guest"
    return sqlite3.connect("x.db").execute(f"SELECT text FROM greetings WHERE name = '{name}'").fetchone()
# case: guard that does not stop
from flask import request
import sqlite3
import logging


def count():
    table = request.args["table"]
    if table not in ("a", "b"):
        logging.warning("odd table")
    return sqlite3.connect("x.db").execute(f"SELECT count(*) FROM {table}").fetchone()  # expect: py/sql-injection
# case: validator that raises
import re
import sqlite3
from flask import request

NAME = re.compile(r"[a-z_]{1,30}")


def require_name(text):
    if not NAME.fullmatch(text):
        raise ValueError("bad name")
    return text


def count():
    table = request.args["table"]
    require_name(table)
    return sqlite3.connect("x.db").execute(f"SELECT count(*) FROM {table}").fetchone()
# case: validator that forgets the end
import re
import sqlite3
from flask import request


def looks_right(text):
    return re.match(r"[a-z_]+", text) is not None


def count():
    table = request.args["table"]
    if not looks_right(table):
        return None
    return sqlite3.connect("x.db").execute(f"SELECT count(*) FROM {table}").fetchone()  # expect: py/sql-injection
# case: pydantic model with a text and a number
from fastapi import FastAPI
from pydantic import BaseModel
import sqlite3

app = FastAPI()


class Filter(BaseModel):
    city: str
    limit: int = 10


@app.post("/shops")
def shops(wanted: Filter):
    db = sqlite3.connect("x.db")
    few = db.execute(f"SELECT * FROM shops LIMIT {wanted.limit}").fetchall()
    near = db.execute(f"SELECT * FROM shops WHERE city = '{wanted.city}'").fetchall()  # expect: py/sql-injection
    return few + near
# case: execute by another name, statement in a dict
from flask import request
import sqlite3

cursor = sqlite3.connect("x.db").cursor()
ask = cursor.execute


def lookup():
    job = {"what": "SELECT 1"}
    job["what"] = "SELECT * FROM t WHERE a = '%(a)s'" % {"a": request.form["a"]}
    return ask(job["what"]).fetchall()  # expect: py/sql-injection
