# case: quotes of the same kind inside an f-string
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/a")
def nested():
    sqlite3.connect("a.db").execute(f"SELECT * FROM t WHERE n = '{request.args["name"]}'")  # expect: py/sql-injection
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = ?", (f"{request.args["name"]}",))
    return "ok"


@app.route("/b")
def over_several_lines():
    statement = f"SELECT * FROM t WHERE n = '{
        request.args["name"]  # as it came
    }'"
    sqlite3.connect("a.db").execute(statement)  # expect: py/sql-injection
    return f"{"<p>"}{int(request.args["n"])}"
# case: type parameters and aliases
import sqlite3

from flask import request

type Name = str
type Names[T] = list[T]


def first[T](values: list[T]) -> T:
    return values[0]


class Box[T]:
    def __init__(self, value: T) -> None:
        self.value = value

    def get[U](self, other: U) -> T:
        return self.value


def find():
    name: Name = first([request.args["name"]])
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % first(["a"]))
    boxed = Box(request.args["name"]).get(1)
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % boxed)  # expect: py/sql-injection
# case: several exceptions without parentheses
import os

from flask import request


def run():
    try:
        number = int(request.args["n"])
    except ValueError, KeyError:
        os.system("echo " + request.args["n"])  # expect: py/command-injection
    else:
        os.system(f"echo {number}")
# case: template strings
from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)


def page(template):
    return "".join(part if isinstance(part, str) else part.value for part in template)


def escaped_page(template):
    return "".join(part if isinstance(part, str) else escape(part.value) for part in template)


def find(connection):
    connection.execute(t"SELECT * FROM t WHERE n = {request.args['name']}")


@app.route("/a")
def raw():
    return page(t"<p>{request.args['name']}</p>")  # expect: py/cross-site-scripting


@app.route("/b")
def escaped():
    return escaped_page(t"<p>{request.args['name']}</p>")
