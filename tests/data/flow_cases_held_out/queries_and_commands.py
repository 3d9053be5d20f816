# case: inventory service with repository class
import sqlite3
from flask import Flask, jsonify, request

app = Flask(__name__)


class ItemRepository:
    def __init__(self, path="items.db"):
        self._conn = sqlite3.connect(path)

    def by_label(self, label):
        sql = f"SELECT id, label FROM items WHERE label LIKE '%{label}%'"
        return self._conn.execute(sql).fetchall()  # expect: py/sql-injection

    def by_id(self, ident):
        return self._conn.execute("SELECT id, label FROM items WHERE id = ?", (ident,)).fetchone()


repo = ItemRepository()


@app.get("/items")
def items():
    return jsonify(repo.by_label(request.args.get("label", "")))


@app.get("/items/<ident>")
def item(ident):
    return jsonify(repo.by_id(ident))
# case: sort direction by conditional expression
import sqlite3
from flask import request


def report():
    direction = "DESC" if request.args.get("desc") == "1" else "ASC"
    con = sqlite3.connect("r.db")
    return con.execute("SELECT * FROM runs ORDER BY started " + direction).fetchall()
# case: dynamic filter with named placeholders
from fastapi import FastAPI, Depends
from sqlalchemy import text
from sqlalchemy.orm import Session
from app.db import get_session

app = FastAPI()


@app.get("/people")
def people(name: str = None, city: str = None, session: Session = Depends(get_session)):
    clauses, params = [], {}
    if name:
        clauses.append("name = :name")
        params["name"] = name
    if city:
        clauses.append("city = :city")
        params["city"] = city
    where = " AND ".join(clauses) or "1=1"
    return session.execute(text("SELECT * FROM people WHERE " + where), params).mappings().all()
# case: dynamic filter with values pasted in
from fastapi import FastAPI, Depends
from sqlalchemy import text
from sqlalchemy.orm import Session
from app.db import get_session

app = FastAPI()


@app.get("/people")
def people(name: str = None, city: str = None, session: Session = Depends(get_session)):
    clauses = []
    if name:
        clauses.append(f"name = '{name}'")
    if city:
        clauses.append("city = '" + city + "'")
    where = " AND ".join(clauses) or "1=1"
    return session.execute(text("SELECT * FROM people WHERE " + where)).mappings().all()  # expect: py/sql-injection
# case: asyncpg pool
import asyncpg
from aiohttp import web


async def find(request):
    pool = request.app["pool"]
    email = request.query["email"]
    async with pool.acquire() as connection:
        good = await connection.fetchrow("SELECT * FROM users WHERE email = $1", email)
        bad = await connection.fetch("SELECT * FROM users WHERE email = '%s'" % email)  # expect: py/sql-injection
    return web.json_response({"good": dict(good), "bad": len(bad)})
# case: Django raw and extra
from django.shortcuts import render
from library.models import Book


def search(request):
    term = request.GET.get("term", "")
    one = Book.objects.raw("SELECT * FROM library_book WHERE title = '" + term + "'")  # expect: py/sql-injection
    two = Book.objects.extra(where=["title = '%s'" % term])  # expect: py/sql-injection
    three = Book.objects.filter(title__icontains=term)
    return render(request, "search.html", {"books": [*one, *two, *three]})
# case: table name checked by a set difference
import sqlite3

KNOWN = frozenset(["orders", "customers"])


def export(table_name, target):
    if table_name not in KNOWN:
        raise ValueError(f"unknown table {table_name}")
    rows = sqlite3.connect("shop.db").execute(f"SELECT * FROM {table_name}").fetchall()
    with open(target, "w") as out:
        for row in rows:
            out.write(repr(row))
# case: builder function returns statement and values
from flask import request
from db import get_connection


def build(filters):
    sql = "SELECT * FROM logs WHERE 1=1"
    values = []
    for column in ("level", "host"):
        if column in filters:
            sql += f" AND {column} = %s"
            values.append(filters[column])
    return sql, values


def logs():
    statement, values = build(request.args)
    cursor = get_connection().cursor()
    cursor.execute(statement, values)
    return {"rows": cursor.fetchall()}
# case: builder function returns statement with values in it
from flask import request
from db import get_connection


def build(filters):
    sql = "SELECT * FROM logs WHERE 1=1"
    for column in ("level", "host"):
        if column in filters:
            sql += f" AND {column} = '{filters[column]}'"
    return sql


def logs():
    cursor = get_connection().cursor()
    cursor.execute(build(request.args))  # expect: py/sql-injection
    return {"rows": cursor.fetchall()}
# case: menu in a terminal
import sqlite3


def find(cursor):
    title = input("Title: ").strip()
    cursor.execute("SELECT * FROM films WHERE title = '" + title + "'")  # expect: py/sql-injection
    print(cursor.fetchall())


def find_safely(cursor):
    year = int(input("Year: "))
    cursor.execute("SELECT * FROM films WHERE year = %d" % year)
    print(cursor.fetchall())


if __name__ == "__main__":
    db = sqlite3.connect("films.db")
    find(db.cursor())
    find_safely(db.cursor())
# case: quotes doubled by hand
from flask import request
import MySQLdb


def lookup():
    db = MySQLdb.connect(read_default_file="~/.my.cnf")
    name = db.escape_string(request.args["name"]).decode()
    cursor = db.cursor()
    cursor.execute("SELECT * FROM staff WHERE name = '%s'" % name)
    return {"rows": cursor.fetchall()}
# case: enumeration of columns
import enum
import sqlite3
from fastapi import FastAPI

app = FastAPI()


class Column(str, enum.Enum):
    name = "name"
    age = "age"


@app.get("/cats")
def cats(order: Column = Column.name):
    return sqlite3.connect("cats.db").execute(f"SELECT * FROM cats ORDER BY {order.value}").fetchall()
# case: command line tool runs a converter
import argparse
import subprocess


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("--size", choices=["small", "large"], default="small")
    return parser.parse_args()


def main():
    args = parse()
    subprocess.call("ffmpeg -i %s out-%s.mp4" % (args.video, args.size), shell=True)  # expect: py/command-injection
    subprocess.call(["ffmpeg", "-i", args.video, "out.mp4"])
    subprocess.call("ffmpeg -i fixed.avi out-%s.mp4" % args.size, shell=True)


main()
# case: jobs dispatched by name
import os
from flask import abort, request

JOBS = {"backup": "/opt/jobs/backup.sh", "rotate": "/opt/jobs/rotate.sh"}


def run_job():
    script = JOBS.get(request.form["job"])
    if script is None:
        abort(404)
    return str(os.system(script + " --now"))
# case: jobs dispatched by path
import os
from flask import request


def run_job():
    job = request.form["job"]
    script = "/opt/jobs/" + job + ".sh"
    if not os.path.exists(script):
        return "no", 404
    return str(os.system(script + " --now"))  # expect: py/command-injection
# case: host name validated by a helper with a compiled pattern
import re
import subprocess
from flask import request

HOST = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$")


class BadHost(Exception):
    pass


def clean_host(raw):
    host = raw.strip().lower()
    if not HOST.match(host):
        raise BadHost(raw)
    return host


def trace():
    host = clean_host(request.args.get("host", ""))
    return subprocess.check_output(f"traceroute -m 5 {host}", shell=True)
# case: pipeline of two processes
import subprocess
from flask import request


def count():
    word = request.args["word"]
    first = subprocess.Popen(["grep", "-F", "--", word, "/var/data/corpus"], stdout=subprocess.PIPE)
    second = subprocess.run(["wc", "-l"], stdin=first.stdout, capture_output=True, text=True)
    third = subprocess.run(f"grep -F -- '{word}' /var/data/corpus | wc -l", shell=True, capture_output=True)  # expect: py/command-injection
    return second.stdout + str(third.returncode)
# case: runner object keeps its command
import subprocess
import sys


class Runner:
    def __init__(self, shell=False):
        self.shell = shell
        self.parts = ["git", "log"]

    def add(self, part):
        self.parts.append(part)
        return self

    def go(self):
        return subprocess.run(self.parts, check=True)

    def go_loud(self):
        return subprocess.run(" ".join(self.parts), shell=True, check=True)  # expect: py/command-injection


if __name__ == "__main__":
    runner = Runner()
    runner.add(sys.argv[1])
    runner.go()
    runner.go_loud()
# case: thread with a shell
import os
import threading
from flask import request


def work(name):
    os.system("convert /in/" + name + " /out/" + name)  # expect: py/command-injection


def start():
    threading.Thread(target=work, args=(request.form["name"],)).start()
    return "started"
# case: all words quoted
import shlex
import subprocess
from flask import request


def tar():
    files = request.form.getlist("file")
    command = "tar cf - " + " ".join(shlex.quote(name) for name in files)
    again = "tar cf - " + shlex.join(files)
    third = "tar cf - " + " ".join(map(shlex.quote, files))
    for each in (command, again, third):
        subprocess.run(each, shell=True)
    subprocess.run("tar cf - " + " ".join(files), shell=True)  # expect: py/command-injection
    return "ok"
# case: program chosen by the user
import subprocess
from flask import request


def tool():
    name = request.args["tool"]
    subprocess.run([name, "--version"])  # expect: py/command-injection
    if name in ("gcc", "clang"):
        subprocess.run([name, "--version"])
    return "ok"
# case: environment and input instead of the command
import os
import subprocess
from flask import request


def spell():
    text = request.form["text"]
    env = dict(os.environ, LANGUAGE=request.form["language"])
    return subprocess.run("aspell list", shell=True, input=text, env=env, capture_output=True, text=True).stdout
# case: bash with arguments after the script
import subprocess


def greet(name):
    subprocess.run(["bash", "-c", 'echo "hello $1"', "bash", name])
    subprocess.run(["bash", "-c", "echo hello %s" % name])  # expect: py/command-injection
