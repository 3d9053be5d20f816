# case: dataclass carries the text
import os
from dataclasses import dataclass
from flask import request


@dataclass
class Job:
    name: str
    retries: int = 3

    def command(self):
        return f"run-job {self.name} --retries {self.retries}"


def start():
    job = Job(request.form["name"])
    os.system(job.command())  # expect: py/command-injection
    os.system(f"run-job fixed --retries {job.retries}")
# case: inheritance and super
import sqlite3
from flask import request


class Base:
    def __init__(self, table):
        self.table = table
        self.db = sqlite3.connect("x.db")

    def find(self, where):
        return self.db.execute(f"SELECT * FROM {self.table} WHERE {where}").fetchall()  # expect: py/sql-injection


class People(Base):
    def __init__(self):
        super().__init__("people")

    def named(self, name):
        return self.find("name = '" + name + "'")


def view():
    return {"people": People().named(request.args["name"])}
# case: validator decorator of pydantic
import subprocess
from fastapi import FastAPI
from pydantic import BaseModel, Field, field_validator

app = FastAPI()


class Target(BaseModel):
    host: str
    port: int
    label: str = Field(pattern=r"^[a-z]+$")
    note: str

    @field_validator("host")
    @classmethod
    def check_host(cls, value):
        if not value.replace(".", "").isalnum():
            raise ValueError("bad host")
        return value


@app.post("/scan")
def scan(target: Target):
    subprocess.run(f"nmap -p {target.port} {target.host}", shell=True)
    subprocess.run(f"echo {target.label}", shell=True)
    subprocess.run(f"echo {target.note}", shell=True)  # expect: py/command-injection
# case: dispatch table of functions
import os
from flask import request


def ping(host):
    return os.popen("ping -c1 " + host).read()  # expect: py/command-injection


def version(host):
    return os.popen("uname -a").read()


ACTIONS = {"ping": ping, "version": version}


def act():
    action = ACTIONS.get(request.args["action"])
    if action is None:
        return "unknown"
    return action(request.args["host"])
# case: generator pipeline
import sqlite3
import sys


def lines(stream):
    for line in stream:
        yield line.strip()


def statements(stream):
    for line in lines(stream):
        yield "INSERT INTO t VALUES ('" + line + "')"


def load():
    db = sqlite3.connect("x.db")
    for statement in statements(sys.stdin):
        db.execute(statement)  # expect: py/sql-injection
    for line in lines(sys.stdin):
        db.execute("INSERT INTO t VALUES (?)", (line,))
# case: context manager of the program
import sqlite3
from contextlib import contextmanager
from flask import request


@contextmanager
def cursor():
    db = sqlite3.connect("x.db")
    try:
        yield db.cursor()
        db.commit()
    finally:
        db.close()


def show():
    with cursor() as cur:
        cur.execute("SELECT * FROM t WHERE a = '%s'" % request.args["a"])  # expect: py/sql-injection
        cur.execute("SELECT * FROM t WHERE a = ?", (request.args["a"],))
# case: loop until the input is right
import os


def main():
    while True:
        name = input("name? ")
        if name.isalnum():
            break
        print("letters and digits only")
    os.system("finger " + name)


def other():
    name = input("name? ")
    while not name.isalnum():
        name = input("name? ")
    os.system("finger " + name)


def third():
    while True:
        name = input("name? ")
        if name == "quit":
            break
        os.system("finger " + name)  # expect: py/command-injection
# case: walrus, ternary and default
import re
import os
from flask import request


def a():
    if (name := request.args.get("name")) and re.fullmatch(r"[a-z]+", name):
        os.system("finger " + name)
    os.system("finger " + (name or "root"))  # expect: py/command-injection


def b():
    name = request.args.get("name")
    name = name if name in ("alice", "bob") else "nobody"
    os.system("finger " + name)


def c():
    match = re.match(r"user-(\d+)$", request.args.get("name", ""))
    if match:
        os.system("finger " + match.group(1))
# case: arguments by keyword and star
import subprocess
from flask import request


def execute(*words, shell=False, **options):
    return subprocess.run(" ".join(words) if shell else list(words), shell=shell, **options)  # expect: py/command-injection


def a():
    execute("ls", request.args["d"], shell=True)


def b():
    execute("ls", request.args["d"], check=True)
# case: wrapper that never uses a shell
import subprocess
from flask import request


def execute(*words, **options):
    return subprocess.run(list(words), check=True, **options)


def a():
    execute("ls", "-l", request.args["d"], cwd="/srv")
# case: text collected in a list and in a buffer
import io
import sqlite3
from flask import request


def a():
    parts = ["SELECT * FROM t WHERE 1=1"]
    for key, value in request.args.items():
        parts.append(f"AND note = '{value}'")
    sqlite3.connect("x").execute("\n".join(parts))  # expect: py/sql-injection


def b():
    parts = ["SELECT * FROM t WHERE 1=1"]
    values = []
    for value in request.args.getlist("note"):
        parts.append("AND note = ?")
        values.append(value)
    sqlite3.connect("x").execute("\n".join(parts), values)


def c():
    buffer = io.StringIO()
    buffer.write("SELECT * FROM t WHERE note = '")
    buffer.write(request.args["note"])
    buffer.write("'")
    sqlite3.connect("x").execute(buffer.getvalue())  # expect: py/sql-injection
# case: factory of an application
from flask import Flask, request
import os


def create_app():
    app = Flask(__name__)
    root = "/srv"

    @app.route("/list")
    def listing():
        return {"files": os.popen("ls " + root + "/" + request.args["d"]).read()}  # expect: py/command-injection

    @app.route("/safe")
    def safe():
        return {"files": os.listdir(root)}

    return app
# case: decorator of the program guards and passes on
import functools
import os
from flask import Flask, abort, request

app = Flask(__name__)


def logged_in(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        if not request.cookies.get("user"):
            abort(401)
        return view(*args, **kwargs)
    return inner


@app.route("/run")
@logged_in
def run():
    os.system("echo " + request.args["text"])  # expect: py/command-injection
    return "ok"
# case: class based views
import os
from django.views import View
from django.http import HttpResponse, JsonResponse


class Report(View):
    folder = "/srv/reports"

    def get(self, request, name):
        path = os.path.join(self.folder, name)
        with open(path) as stream:  # expect: py/path-traversal
            return JsonResponse({"text": stream.read()})

    def post(self, request, *args, **kwargs):
        return HttpResponse("<b>" + self.request.POST["text"] + "</b>")  # expect: py/cross-site-scripting

    def delete(self, request, pk):
        path = os.path.realpath(os.path.join(self.folder, pk))
        if not path.startswith(self.folder + "/"):
            return HttpResponse(status=403)
        os.remove(path)
        return HttpResponse(status=204)
# case: click and typer
import os
import subprocess
import click
import typer

cli = typer.Typer()


@click.command()
@click.argument("name")
@click.option("--count", type=int, default=1)
@click.option("--mode", type=click.Choice(["a", "b"]))
def hello(name, count, mode):
    os.system(f"echo {count} {mode}")
    os.system(f"echo {name}")  # expect: py/command-injection


@cli.command()
def bye(name: str, times: int = 1):
    subprocess.run("echo bye " + name, shell=True)  # expect: py/command-injection
    subprocess.run(f"echo bye {times}", shell=True)
# case: cloud function
import json
import os


def lambda_handler(event, context):
    name = event["queryStringParameters"]["name"]
    body = json.loads(event["body"])
    os.system("process " + name)  # expect: py/command-injection
    os.system("process " + body["file"])  # expect: py/command-injection
    return {"statusCode": 200}
# case: environment and configuration are the operator's
import configparser
import os
import subprocess

config = configparser.ConfigParser()
config.read("app.ini")


def build():
    subprocess.run(os.environ["BUILD_COMMAND"], shell=True)
    subprocess.run("make -C " + config["build"]["folder"], shell=True)
    with open(os.path.join(os.environ["HOME"], ".apprc")) as stream:
        return stream.read()
# case: numbers and identifiers from the database
import sqlite3


def rename(db, ident, name):
    row = db.execute("SELECT id FROM t WHERE slug = ?", (ident,)).fetchone()
    db.execute(f"UPDATE t SET name = ? WHERE id = {row[0]}", (name,))
# case: aiohttp handler and a socket server
import os
import socketserver
from aiohttp import web


async def handle(request):
    data = await request.json()
    os.system("echo " + data["text"])  # expect: py/command-injection
    return web.json_response({"ok": True})


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().strip().decode()
        os.system("say " + line)  # expect: py/command-injection
# case: module-level script
import os
import sys

if len(sys.argv) != 2:
    sys.exit("usage: show FILE")
name = sys.argv[1]
os.system("cat " + name)  # expect: py/command-injection
if not name.isalnum():
    sys.exit(1)
os.system("cat " + name)
# case: errors and unused values
import os
import logging
from flask import request


def a():
    name = request.args["name"]
    query = "SELECT * FROM t WHERE name = '" + name + "'"
    command = "rm " + name
    logging.getLogger("x").debug("nothing to see")
    return {"length": len(query) + len(command)}


def b():
    try:
        value = int(request.args["n"])
    except (KeyError, ValueError):
        value = 10
    os.system(f"head -n {value} /var/log/syslog")
# case: allow list given by the caller and by a constant class
import os


class Commands:
    ALLOWED = {"status": "git status", "log": "git log"}

    def run(self, key):
        if key not in self.ALLOWED:
            raise KeyError(key)
        os.system(self.ALLOWED[key])
        os.system("git " + key)


def run_one(name, allowed):
    if name not in allowed:
        raise ValueError(name)
    os.system("git " + name)
# case: starlette and bottle
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.requests import Request


async def page(request: Request):
    name = request.query_params.get("name", "")
    if request.query_params.get("plain"):
        return PlainTextResponse("hello " + name)
    if request.query_params.get("json"):
        return JSONResponse({"hello": name})
    return HTMLResponse("<p>hello " + name + "</p>")  # expect: py/cross-site-scripting
