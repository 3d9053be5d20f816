# case: filtered parts, insecure
import os
from flask import Flask, request

app = Flask(__name__)


def cleaned(path):
    parts = [part for part in path.split("/") if part not in (".", "..")]
    return "/".join(parts)


@app.get("/c")
def c():
    return open(os.path.join("/srv/c", cleaned(request.args["p"]))).read(), {"Content-Type": "text/plain"}  # expect: py/path-traversal

# case: filtered parts, secure
import os
from flask import Flask, request

app = Flask(__name__)


def cleaned(path):
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)


@app.get("/c")
def c():
    return open(os.path.join("/srv/c", cleaned(request.args["p"]))).read(), {"Content-Type": "text/plain"}

# case: any part is the parent, insecure
import os
from flask import Flask, request, abort, send_file

app = Flask(__name__)


def leaves(path):
    return any(part == os.pardir for part in path.replace("\\", "/").split("/"))


@app.get("/f")
def f():
    rel = request.args["path"]
    if leaves(rel):
        abort(400)
    return send_file(os.path.join("/srv/files", rel))  # expect: py/path-traversal

# case: any part is the parent, secure
import os
from flask import Flask, request, abort, send_file

app = Flask(__name__)


def leaves(path):
    return os.path.isabs(path) or any(part == os.pardir for part in path.replace("\\", "/").split("/"))


@app.get("/f")
def f():
    rel = request.args["path"]
    if leaves(rel):
        abort(400)
    return send_file(os.path.join("/srv/files", rel))

# case: starred parts of a path, insecure
from pathlib import PurePosixPath, Path
from flask import Flask, request, abort

app = Flask(__name__)


@app.get("/raw")
def raw():
    rel = PurePosixPath(request.args["p"])
    if rel.is_absolute():
        abort(400)
    return Path("/srv/raw").joinpath(*rel.parts).read_text(), {"Content-Type": "text/plain"}  # expect: py/path-traversal

# case: starred parts of a path, secure
from pathlib import PurePosixPath, Path
from flask import Flask, request, abort

app = Flask(__name__)


@app.get("/raw")
def raw():
    rel = PurePosixPath(request.args["p"])
    if rel.is_absolute() or ".." in rel.parts:
        abort(400)
    return Path("/srv/raw").joinpath(*rel.parts).read_text(), {"Content-Type": "text/plain"}

# case: check in a decorator, insecure
import functools
import os
from flask import Flask, abort, send_file

app = Flask(__name__)


def plain_name(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        if "/" in kwargs["folder"] or kwargs["folder"].startswith("."):
            abort(400)
        return view(*args, **kwargs)

    return wrapper


@app.get("/x/<folder>/<path:name>")
@plain_name
def x(folder, name):
    return send_file(os.path.join("/srv/x", name))  # expect: py/path-traversal

# case: check in a decorator, secure
import functools
import os
from flask import Flask, abort, send_file

app = Flask(__name__)


def plain_name(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        if "/" in kwargs["name"] or kwargs["name"].startswith("."):
            abort(400)
        return view(*args, **kwargs)

    return wrapper


@app.get("/x/<folder>/<path:name>")
@plain_name
def x(folder, name):
    return send_file(os.path.join("/srv/x", name))

# case: check in a decorator with an argument, insecure
import os
from flask import Flask, abort

app = Flask(__name__)


def only(*allowed):
    def decorate(view):
        def wrapper(unit):
            if unit not in allowed:
                app.logger.warning("unknown unit")
            return view(unit)

        return wrapper

    return decorate


@app.post("/restart/<unit>")
@only("nginx", "redis")
def restart(unit):
    os.system("systemctl restart " + unit)  # expect: py/command-injection
    return "ok"

# case: check in a decorator with an argument, secure
import os
from flask import Flask, abort

app = Flask(__name__)


def only(*allowed):
    def decorate(view):
        def wrapper(unit):
            if unit not in allowed:
                abort(404)
            return view(unit)

        return wrapper

    return decorate


@app.post("/restart/<unit>")
@only("nginx", "redis")
def restart(unit):
    os.system("systemctl restart " + unit)
    return "ok"

# case: decorator that adds an argument, insecure
import functools
import sqlite3
from flask import Flask, request

app = Flask(__name__)


def with_connection(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        with sqlite3.connect("app.db") as connection:
            return view(connection, *args, **kwargs)

    return wrapper


@app.get("/rows/<number>")
@with_connection
def rows(connection, number):
    return {"rows": connection.execute(f"SELECT * FROM rows WHERE id = {number}").fetchall()}  # expect: py/sql-injection

# case: decorator that adds an argument, secure
import functools
import sqlite3
from flask import Flask, request

app = Flask(__name__)


def with_connection(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        with sqlite3.connect("app.db") as connection:
            return view(connection, *args, **kwargs)

    return wrapper


@app.get("/rows/<int:number>")
@with_connection
def rows(connection, number):
    return {"rows": connection.execute(f"SELECT * FROM rows WHERE id = {number}").fetchall()}

# case: table of characters, insecure
from starlette.responses import HTMLResponse

TABLE = {"&": "&amp;", '"': "&quot;", "'": "&#39;"}


def clean(text):
    return "".join(TABLE.get(ch, ch) for ch in text)


async def home(request):
    return HTMLResponse("<h1>" + clean(request.query_params.get("q", "")) + "</h1>")  # expect: py/cross-site-scripting

# case: table of characters, secure
from starlette.responses import HTMLResponse

TABLE = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#39;"}


def clean(text):
    return "".join(TABLE.get(ch, ch) for ch in text)


async def home(request):
    return HTMLResponse("<h1>" + clean(request.query_params.get("q", "")) + "</h1>")

# case: translation table, insecure
from flask import Flask, request

app = Flask(__name__)
ESCAPES = str.maketrans({"[": "<", "]": ">", "<": "(", ">": ")", "/": "</"})


@app.get("/q")
def q():
    return "<p>" + request.args.get("q", "").translate(ESCAPES) + "</p>"  # expect: py/cross-site-scripting

# case: translation table, secure
from flask import Flask, request

app = Flask(__name__)
ESCAPES = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#x27;"})


@app.get("/q")
def q():
    return "<p>" + request.args.get("q", "").translate(ESCAPES) + "</p>"

# case: translation of codes, insecure
import logging
from flask import Flask, request

app = Flask(__name__)
log = logging.getLogger(__name__)
CONTROLS = {ord("\t"): " ", ord("\r"): None}


@app.get("/s")
def s():
    log.info("search %s", request.args.get("q", "").translate(CONTROLS))  # expect: py/log-injection
    return "ok"

# case: translation of codes, secure
import logging
from flask import Flask, request

app = Flask(__name__)
log = logging.getLogger(__name__)
CONTROLS = {ord("\n"): " ", ord("\r"): None}


@app.get("/s")
def s():
    log.info("search %s", request.args.get("q", "").translate(CONTROLS))
    return "ok"

# case: escape of a connection, insecure
import html
import pymysql
from flask import Flask, request

app = Flask(__name__)


@app.get("/u")
def u():
    con = pymysql.connect(host="h", user="u", database="d")
    sql = "SELECT * FROM u WHERE name = '%s'" % html.escape(request.args["name"], quote=False)
    with con.cursor() as cur:
        cur.execute(sql)  # expect: py/sql-injection
        return {"rows": cur.fetchall()}

# case: escape of a connection, secure
import html
import pymysql
from flask import Flask, request

app = Flask(__name__)


@app.get("/u")
def u():
    con = pymysql.connect(host="h", user="u", database="d")
    sql = "SELECT * FROM u WHERE name = %s" % con.escape(request.args["name"])
    with con.cursor() as cur:
        cur.execute(sql)
        return {"rows": cur.fetchall()}

# case: operators of columns, insecure
from fastapi import Depends, FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from .db import get_session, Item

app = FastAPI()


@app.get("/items")
async def items(q: str, session: AsyncSession = Depends(get_session)):
    result = await session.execute(select(Item).where(text(f"name ILIKE '%{q}%'")))  # expect: py/sql-injection
    return result.scalars().all()

# case: operators of columns, secure
from fastapi import Depends, FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from .db import get_session, Item

app = FastAPI()


@app.get("/items")
async def items(q: str, session: AsyncSession = Depends(get_session)):
    result = await session.execute(select(Item).where(Item.name.ilike(f"%{q}%"), Item.tag.in_([q])))
    return result.scalars().all()

# case: svg response, insecure
from xml.sax.saxutils import escape
from django.http import HttpResponse


def svg(request):
    label = request.GET.get("label", "")
    picture = "<svg xmlns='http://www.w3.org/2000/svg'><text>" + label + "</text></svg>"
    return HttpResponse(picture, content_type="image/svg+xml")  # expect: py/cross-site-scripting

# case: svg response, secure
from xml.sax.saxutils import escape
from django.http import HttpResponse


def svg(request):
    label = request.GET.get("label", "")
    picture = "<svg xmlns='http://www.w3.org/2000/svg'><text>" + escape(label) + "</text></svg>"
    return HttpResponse(picture, content_type="image/svg+xml")

# case: bottle template, insecure
from bottle import Bottle, request, template

app = Bottle()


@app.route("/greet")
def greet():
    return template("<b>Hello {{!name}}</b>", name=request.query.name)  # expect: py/cross-site-scripting

# case: bottle template, secure
from bottle import Bottle, request, template

app = Bottle()


@app.route("/greet")
def greet():
    return template("<b>Hello {{name}}</b>", name=request.query.name)

# case: rows of a table, insecure
import html


def render_rows(rows, caption):
    out = ["<table>", f"<caption>{html.escape(caption)}</caption>"]
    for row in rows:
        out.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>")
    out.append("</table>")
    return "\n".join(out)  # expect: py/cross-site-scripting

# case: rows of a table, secure
import html


def render_rows(rows, caption):
    out = ["<table>", f"<caption>{html.escape(caption)}</caption>"]
    for row in rows:
        out.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>")
    out.append("</table>")
    return "\n".join(out)

# case: own str in a page, insecure
import html
from dataclasses import dataclass, field
from flask import Flask, request

app = Flask(__name__)


@dataclass
class Items:
    texts: list = field(default_factory=list)

    def add(self, text):
        self.texts.append(text)

    def __str__(self):
        return "".join(f"<li>{each}</li>" for each in self.texts)  # expect: py/cross-site-scripting


@app.get("/items")
def items():
    found = Items()
    found.add(request.args["item"])
    return f"<ul>{found}</ul>"  # expect: py/cross-site-scripting

# case: own str in a page, secure
import html
from dataclasses import dataclass, field
from flask import Flask, request

app = Flask(__name__)


@dataclass
class Items:
    texts: list = field(default_factory=list)

    def add(self, text):
        self.texts.append(text)

    def __str__(self):
        return "".join(f"<li>{html.escape(each)}</li>" for each in self.texts)


@app.get("/items")
def items():
    found = Items()
    found.add(request.args["item"])
    return f"<ul>{found}</ul>"

# case: own str of a command, insecure
import shlex
import subprocess
from dataclasses import dataclass, field
from flask import Flask, request

app = Flask(__name__)


@dataclass
class Command:
    program: str
    options: list[str] = field(default_factory=list)

    def add(self, option, value):
        self.options.append(f"{option}={value}")
        return self

    def __str__(self):
        return " ".join([self.program, *self.options])


@app.post("/dump")
def dump():
    command = Command("pg_dump").add("--dbname", request.form["db"]).add("--format", "c")
    subprocess.check_call(str(command), shell=True)  # expect: py/command-injection
    return "ok"

# case: own str of a command, secure
import shlex
import subprocess
from dataclasses import dataclass, field
from flask import Flask, request

app = Flask(__name__)


@dataclass
class Command:
    program: str
    options: list[str] = field(default_factory=list)

    def add(self, option, value):
        self.options.append(f"{option}={shlex.quote(value)}")
        return self

    def __str__(self):
        return " ".join([self.program, *self.options])


@app.post("/dump")
def dump():
    command = Command("pg_dump").add("--dbname", request.form["db"]).add("--format", "c")
    subprocess.check_call(str(command), shell=True)
    return "ok"

# case: unpickler of the file, insecure
import io
import pickle
from flask import Flask, request

app = Flask(__name__)


class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        if module == "shop.models":
            module = "shop.schema"
        return super().find_class(module, name)


@app.post("/p")
def p():
    return {"value": Plain(io.BytesIO(request.get_data())).load()}  # expect: py/unsafe-deserialization

# case: unpickler of the file, secure
import io
import pickle
from flask import Flask, request

app = Flask(__name__)


class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) != ("shop.schema", "Basket"):
            raise pickle.UnpicklingError(f"{module}.{name} is forbidden")
        return super().find_class(module, name)


@app.post("/p")
def p():
    return {"value": Plain(io.BytesIO(request.get_data())).load()}

# case: ruamel, insecure
from flask import Flask, request
from ruamel.yaml import YAML

app = Flask(__name__)
parser = YAML(typ="unsafe")


@app.post("/y")
def y():
    return {"keys": list(parser.load(request.get_data()))}  # expect: py/unsafe-deserialization

# case: ruamel, secure
from flask import Flask, request
from ruamel.yaml import YAML

app = Flask(__name__)
parser = YAML(typ="safe")


@app.post("/y")
def y():
    return {"keys": list(parser.load(request.get_data()))}

# case: entered password, insecure
import getpass
import os

EXPECTED = "letmein-2024"


def unlock():
    entered = getpass.getpass()
    return entered == EXPECTED  # expect: py/hardcoded-credentials

# case: entered password, secure
import getpass
import os

EXPECTED = os.environ["CONSOLE_PASSWORD"]


def unlock():
    entered = getpass.getpass()
    return entered == EXPECTED

# case: address of the client, insecure
import logging

logger = logging.getLogger(__name__)


def track(request):
    logger.info("visit from %s", request.META["HTTP_USER_AGENT"])  # expect: py/log-injection

# case: address of the client, secure
import logging

logger = logging.getLogger(__name__)


def track(request):
    logger.info("visit from %s", request.META["REMOTE_ADDR"])

# case: stream of an upload, insecure
import numpy as np
from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/array")
async def array(file: UploadFile):
    values = np.load(file.filename, allow_pickle=False)  # expect: py/path-traversal
    return {"shape": values.shape}

# case: stream of an upload, secure
import numpy as np
from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/array")
async def array(file: UploadFile):
    values = np.load(file.file, allow_pickle=False)
    return {"shape": values.shape}

# case: result of a query, insecure
import pandas as pd
from flask import Flask, request
from sqlalchemy import create_engine

app = Flask(__name__)
engine = create_engine("sqlite:///x.db")


@app.get("/frame")
def frame():
    region = request.args["region"]
    data = pd.read_sql("SELECT * FROM sales WHERE region = ?", engine, params=(region,))
    return f"<h1>{region}</h1>" + data.to_html()  # expect: py/cross-site-scripting

# case: result of a query, secure
import pandas as pd
from flask import Flask, request
from sqlalchemy import create_engine

app = Flask(__name__)
engine = create_engine("sqlite:///x.db")


@app.get("/frame")
def frame():
    region = request.args["region"]
    data = pd.read_sql("SELECT * FROM sales WHERE region = ?", engine, params=(region,))
    return data.to_html()

# case: falcon resource, insecure
import os
import falcon

ROOT = os.path.realpath("/srv/bin")


class Blob:
    def on_get(self, req, resp, name):
        path = os.path.realpath(os.path.join(ROOT, name))
        if not path.startswith(ROOT):
            raise falcon.HTTPNotFound()
        resp.data = open(path, "rb").read()  # expect: py/path-traversal

# case: falcon resource, secure
import os
import falcon

ROOT = os.path.realpath("/srv/bin")


class Blob:
    def on_get(self, req, resp, name):
        path = os.path.realpath(os.path.join(ROOT, name))
        if not path.startswith(ROOT + "/"):
            raise falcon.HTTPNotFound()
        resp.data = open(path, "rb").read()

# case: graphene resolver, insecure
import graphene
from django.db import connection


class Query(graphene.ObjectType):
    posts = graphene.List(graphene.String, author=graphene.String())

    def resolve_posts(self, info, author):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT title FROM posts WHERE author = '{author}'")  # expect: py/sql-injection
            return [row[0] for row in cursor.fetchall()]

# case: graphene resolver, secure
import graphene
from django.db import connection


class Query(graphene.ObjectType):
    posts = graphene.List(graphene.String, author=graphene.String())

    def resolve_posts(self, info, author):
        with connection.cursor() as cursor:
            cursor.execute("SELECT title FROM posts WHERE author = %s", [author])
            return [row[0] for row in cursor.fetchall()]

# case: strawberry field, insecure
import sqlite3
import strawberry


@strawberry.type
class Query:
    @strawberry.field
    def titles(self, info: strawberry.Info, shelf: str) -> list[str]:
        rows = sqlite3.connect("library.db").execute(f"SELECT title FROM books WHERE shelf = '{shelf}'")  # expect: py/sql-injection
        return [row[0] for row in rows]

# case: strawberry field, secure
import sqlite3
import strawberry


@strawberry.type
class Query:
    @strawberry.field
    def titles(self, info: strawberry.Info, shelf: int) -> list[str]:
        rows = sqlite3.connect("library.db").execute(f"SELECT title FROM books WHERE shelf = '{shelf}'")
        return [row[0] for row in rows]

# case: template filter, insecure
from django import template
from django.utils.html import format_html
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter(name="badge")
def badge(text):
    return mark_safe(f"<span class='badge'>{text}</span>")  # expect: py/cross-site-scripting

# case: template filter, secure
from django import template
from django.utils.html import format_html
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter(name="badge")
def badge(text):
    return format_html("<span class='badge'>{}</span>", text)

# case: loop of arguments, insecure
import os
import shutil
from flask import Flask, abort, request

app = Flask(__name__)
HOME = os.path.realpath("/srv/home")


def within_home(*names):
    for name in names:
        full = os.path.realpath(os.path.join(HOME, name))
        if full != HOME and not full.startswith(HOME):
            return False
    return True


@app.post("/copy")
def copy():
    source, target = request.form["source"], request.form["target"]
    if not within_home(source, target):
        abort(403)
    shutil.copy2(os.path.join(HOME, source), os.path.join(HOME, target))  # expect: py/path-traversal
    return "copied"

# case: loop of arguments, secure
import os
import shutil
from flask import Flask, abort, request

app = Flask(__name__)
HOME = os.path.realpath("/srv/home")


def within_home(*names):
    for name in names:
        full = os.path.realpath(os.path.join(HOME, name))
        if full != HOME and not full.startswith(HOME + os.sep):
            return False
    return True


@app.post("/copy")
def copy():
    source, target = request.form["source"], request.form["target"]
    if not within_home(source, target):
        abort(403)
    shutil.copy2(os.path.join(HOME, source), os.path.join(HOME, target))
    return "copied"

# case: loop that skips an argument, insecure
import os
from flask import Flask, abort, request

app = Flask(__name__)
HOME = os.path.realpath("/srv/home")


def check(*names):
    for name in names:
        if name.endswith(".txt"):
            continue
        full = os.path.realpath(os.path.join(HOME, name))
        if not full.startswith(HOME + os.sep):
            abort(403)


@app.post("/move")
def move():
    source, target = request.form["source"], request.form["target"]
    check(source, target)
    os.rename(os.path.join(HOME, source), os.path.join(HOME, target))  # expect: py/path-traversal
    return "moved"

# case: loop that skips an argument, secure
import os
from flask import Flask, abort, request

app = Flask(__name__)
HOME = os.path.realpath("/srv/home")


def check(*names):
    for name in names:
        if not name:
            abort(400)
        full = os.path.realpath(os.path.join(HOME, name))
        if not full.startswith(HOME + os.sep):
            abort(403)


@app.post("/move")
def move():
    source, target = request.form["source"], request.form["target"]
    check(source, target)
    os.rename(os.path.join(HOME, source), os.path.join(HOME, target))
    return "moved"

# case: callable object, insecure
import shlex
import subprocess
from flask import Flask, request

app = Flask(__name__)


class Shell:
    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, command, *arguments):
        line = self.prefix + command.format(*arguments)
        return subprocess.run(line, shell=True, capture_output=True, check=False).stdout  # expect: py/command-injection


shell = Shell("sudo ")


@app.post("/users")
def add():
    return {"output": shell("useradd -g {} {}", request.form["group"], request.form["login"]).decode()}

# case: callable object, secure
import shlex
import subprocess
from flask import Flask, request

app = Flask(__name__)


class Shell:
    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, command, *arguments):
        line = self.prefix + command.format(*map(shlex.quote, arguments))
        return subprocess.run(line, shell=True, capture_output=True, check=False).stdout


shell = Shell("sudo ")


@app.post("/users")
def add():
    return {"output": shell("useradd -g {} {}", request.form["group"], request.form["login"]).decode()}

# case: function of xmlrpc, insecure
import subprocess
from xmlrpc.server import SimpleXMLRPCServer


def disk_usage(folder):
    return subprocess.check_output("du -sh " + folder, shell=True, text=True)  # expect: py/command-injection


server = SimpleXMLRPCServer(("0.0.0.0", 9000))
server.register_function(disk_usage)
server.serve_forever()

# case: function of xmlrpc, secure
import subprocess
from xmlrpc.server import SimpleXMLRPCServer


def disk_usage(folder):
    return subprocess.check_output(["du", "-sh", "--", folder], text=True)


server = SimpleXMLRPCServer(("0.0.0.0", 9000))
server.register_function(disk_usage)
server.serve_forever()

# case: data of a response, insecure
from flask import Flask, Response, request
import html

app = Flask(__name__)


@app.get("/status")
def status():
    note = request.args.get("note", "")
    response = Response()
    response.set_data("<p>" + note + "</p>")  # expect: py/cross-site-scripting
    return response

# case: data of a response, secure
from flask import Flask, Response, request
import html

app = Flask(__name__)


@app.get("/status")
def status():
    note = request.args.get("note", "")
    response = Response()
    response.set_data("<p>" + html.escape(note) + "</p>")
    return response

# case: later type of a response, insecure
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/status")
def status():
    response = Response()
    response.set_data(request.args.get("note", ""))  # expect: py/cross-site-scripting
    response.headers["X-Kind"] = "text/plain"
    return response

# case: later type of a response, secure
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/status")
def status():
    response = Response()
    response.set_data(request.args.get("note", ""))
    response.headers["Content-Type"] = "text/plain"
    return response

# case: html of sanic, insecure
import html
from sanic import Sanic, response

app = Sanic("greeter")


@app.get("/greet")
async def greet(request):
    name = request.args.get("name", "you")
    return response.html(f"<p>Hi {name}</p>")  # expect: py/cross-site-scripting

# case: html of sanic, secure
import html
from sanic import Sanic, response

app = Sanic("greeter")


@app.get("/greet")
async def greet(request):
    name = request.args.get("name", "you")
    return response.html(f"<p>Hi {html.escape(name)}</p>")

# case: file of sanic, insecure
import os.path
from sanic import Sanic
from sanic.response import file as file_response, text

app = Sanic("docs")
FOLDER = os.path.abspath("/srv/handouts")


@app.get("/handout/<name:path>")
async def handout(request, name):
    wanted = os.path.abspath(os.path.join(FOLDER, name))
    if FOLDER not in wanted:
        return text("no", status=403)
    return await file_response(wanted)  # expect: py/path-traversal

# case: file of sanic, secure
import os.path
from sanic import Sanic
from sanic.response import file as file_response, text

app = Sanic("docs")
FOLDER = os.path.abspath("/srv/handouts")


@app.get("/handout/<name:path>")
async def handout(request, name):
    wanted = os.path.abspath(os.path.join(FOLDER, name))
    if os.path.commonpath((FOLDER, wanted)) != FOLDER:
        return text("no", status=403)
    return await file_response(wanted)

# case: values of a statement, insecure
from fastapi import Depends, FastAPI
from sqlalchemy import insert, literal_column, select
from sqlalchemy.orm import Session
from .db import Note, session

app = FastAPI()


@app.post("/notes")
def create(title: str, text: str, database: Session = Depends(session)):
    database.execute(insert(Note).values(title=title, text=text))
    return database.execute(select(Note).order_by(literal_column(title))).all()  # expect: py/sql-injection

# case: values of a statement, secure
from fastapi import Depends, FastAPI
from sqlalchemy import insert, literal_column, select
from sqlalchemy.orm import Session
from .db import Note, session

app = FastAPI()


@app.post("/notes")
def create(title: str, text: str, database: Session = Depends(session)):
    database.execute(insert(Note).values(title=title, text=text))
    return database.execute(select(Note).where(Note.title.contains(title)).order_by(Note.id)).all()

# case: password after the port, insecure
import os
import paramiko


def upload(path):
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.connect("backup.internal", 22, "backup", "Nightly!2019")  # expect: py/hardcoded-credentials
    client.open_sftp().put(path, path)

# case: password after the port, secure
import os
import paramiko


def upload(path):
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.connect("backup.internal", 22, "backup", os.environ["BACKUP_PASSWORD"])
    client.open_sftp().put(path, path)

# case: static file of bottle, insecure
from bottle import get, request, static_file


@get("/assets/<name:path>")
def assets(name):
    return "<p>no " + name + "</p>"  # expect: py/cross-site-scripting

# case: static file of bottle, secure
from bottle import get, request, static_file


@get("/assets/<name:path>")
def assets(name):
    return static_file(name, root="/srv/assets")

# case: function given to a router, insecure
import os
from flask import Flask, send_file, abort

app = Flask(__name__)


def serve(name):
    path = os.path.join("/srv/x", name)
    if not os.path.isfile(path):
        abort(404)
    return send_file(path)  # expect: py/path-traversal


app.add_url_rule("/x/<path:name>", view_func=serve)

# case: function given to a router, secure
import os
from flask import Flask, send_file, abort

app = Flask(__name__)


def serve(name):
    path = os.path.join("/srv/x", name)
    if not os.path.isfile(path):
        abort(404)
    return send_file(path)


app.add_url_rule("/x/<int:name>", view_func=serve)

# case: function given to a router, insecure
from flask import Flask
from markupsafe import escape


def greet(name):
    return "<p>Hi " + name + "</p>"  # expect: py/cross-site-scripting


app = Flask(__name__)
app.add_url_rule("/<name>", "greet", greet)

# case: function given to a router, secure
from flask import Flask
from markupsafe import escape


def greet(name):
    return "<p>Hi " + escape(name) + "</p>"


app = Flask(__name__)
app.add_url_rule("/<name>", "greet", greet)

# case: function that replaces characters, insecure
import re
from flask import Flask, request

app = Flask(__name__)
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#39;"}


def esc(text):
    return re.sub(r"[&\"]", lambda match: ENTITIES[match.group(0)], text)


@app.get("/e")
def e():
    return "<p>" + esc(request.args.get("t", "")) + "</p>"  # expect: py/cross-site-scripting

# case: function that replaces characters, secure
import re
from flask import Flask, request

app = Flask(__name__)
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#39;"}


def esc(text):
    return re.sub(r"[<>&\"']", lambda match: ENTITIES[match.group(0)], text)


@app.get("/e")
def e():
    return "<p>" + esc(request.args.get("t", "")) + "</p>"

# case: function that keeps characters, insecure
import re
from flask import Flask, request

app = Flask(__name__)


def marked(text):
    return re.sub(r"[<>]", lambda match: "[" + match.group(0) + "]", text)


@app.get("/e")
def e():
    return "<p>" + marked(request.args.get("t", "")) + "</p>"  # expect: py/cross-site-scripting

# case: function that keeps characters, secure
import re
from flask import Flask, request

app = Flask(__name__)


def marked(text):
    return re.sub(r"[<>]", lambda match: f"[{ord(match.group(0))}]", text)


@app.get("/e")
def e():
    return "<p>" + marked(request.args.get("t", "")) + "</p>"

# case: page of a cgi program, insecure
import html
from urllib.parse import parse_qs
import os

query = parse_qs(os.environ.get("QUERY_STRING", ""))
name = query.get("name", ["nobody"])[0]
print("Content-Type: text/html\n")
print("<h1>Hello %s</h1>" % name)  # expect: py/cross-site-scripting

# case: page of a cgi program, secure
import html
from urllib.parse import parse_qs
import os

query = parse_qs(os.environ.get("QUERY_STRING", ""))
name = query.get("name", ["nobody"])[0]
print("Content-Type: text/html\n")
print("<h1>Hello %s</h1>" % html.escape(name))

# case: text of a cgi program, insecure
from urllib.parse import parse_qs
import os

query = parse_qs(os.environ.get("QUERY_STRING", ""))
print("Content-Type: text/html\n")
print("Hello", query.get("name", ["nobody"])[0])  # expect: py/cross-site-scripting

# case: text of a cgi program, secure
from urllib.parse import parse_qs
import os

query = parse_qs(os.environ.get("QUERY_STRING", ""))
print("Content-Type: text/plain\n")
print("Hello", query.get("name", ["nobody"])[0])

# case: method decorator of an object, insecure
import os
from flask import Flask, abort, session

app = Flask(__name__)


class Guard:
    def __init__(self, names):
        self.names = names

    def only(self, view):
        def wrapper(*args, **kwargs):
            if kwargs["unit"] in self.names:
                app.logger.info("known")
            return view(*args, **kwargs)

        return wrapper


guard = Guard(("nginx", "redis"))


@app.post("/restart/<unit>")
@guard.only
def restart(unit):
    os.system("systemctl restart " + unit)  # expect: py/command-injection
    return "ok"

# case: method decorator of an object, secure
import os
from flask import Flask, abort, session

app = Flask(__name__)


class Guard:
    def __init__(self, names):
        self.names = names

    def only(self, view):
        def wrapper(*args, **kwargs):
            if kwargs["unit"] not in self.names:
                abort(404)
            return view(*args, **kwargs)

        return wrapper


guard = Guard(("nginx", "redis"))


@app.post("/restart/<unit>")
@guard.only
def restart(unit):
    os.system("systemctl restart " + unit)
    return "ok"

# case: decorators of a class view, insecure
import functools
import os
from flask import Flask, abort
from flask.views import MethodView


def checked(method):
    @functools.wraps(method)
    def wrapper(self, unit):
        if unit is None:
            abort(404)
        return method(self, unit)

    return wrapper


class Units(MethodView):
    decorators = []

    @checked
    def post(self, unit):
        os.system("systemctl restart " + unit)  # expect: py/command-injection
        return "ok"

# case: decorators of a class view, secure
import functools
import os
from flask import Flask, abort
from flask.views import MethodView


def checked(method):
    @functools.wraps(method)
    def wrapper(self, unit):
        if not unit.isalnum():
            abort(404)
        return method(self, unit)

    return wrapper


class Units(MethodView):
    decorators = []

    @checked
    def post(self, unit):
        os.system("systemctl restart " + unit)
        return "ok"

# case: django login required own, insecure
import functools
from django.db import connection
from django.http import HttpResponseForbidden, JsonResponse


def staff_only(view):
    @functools.wraps(view)
    def inner(request, *args, **kwargs):
        if not request.user.is_staff:
            return HttpResponseForbidden()
        return view(request, *args, **kwargs)

    return inner


@staff_only
def report(request, month):
    with connection.cursor() as cursor:
        cursor.execute("SELECT total FROM sales WHERE month = '%s' AND kind = '%s'" % (month, request.GET["kind"]))  # expect: py/sql-injection
        return JsonResponse({"total": cursor.fetchone()[0]})

# case: django login required own, secure
import functools
from django.db import connection
from django.http import HttpResponseForbidden, JsonResponse


def staff_only(view):
    @functools.wraps(view)
    def inner(request, *args, **kwargs):
        if not request.user.is_staff:
            return HttpResponseForbidden()
        return view(request, *args, **kwargs)

    return inner


@staff_only
def report(request, month):
    with connection.cursor() as cursor:
        cursor.execute("SELECT total FROM sales WHERE month = %s AND kind = %s", [month, request.GET["kind"]])
        return JsonResponse({"total": cursor.fetchone()[0]})

# case: normal form of a text, insecure
import re
import unicodedata
from pathlib import Path
from flask import Flask, request

app = Flask(__name__)


def slug(text):
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", "-", text).lower()


@app.post("/post")
def post():
    Path("/srv/posts", slug(request.form["title"]) + ".md").write_text(request.form["body"])  # expect: py/path-traversal
    return "ok"

# case: normal form of a text, secure
import re
import unicodedata
from pathlib import Path
from flask import Flask, request

app = Flask(__name__)


def slug(text):
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@app.post("/post")
def post():
    Path("/srv/posts", slug(request.form["title"]) + ".md").write_text(request.form["body"])
    return "ok"

# case: object that is a path, insecure
import os
from fastapi import FastAPI

app = FastAPI()


class Below:
    def __init__(self, root, name):
        self.full = os.path.realpath(os.path.join(root, name))
        if not os.path.lexists(self.full):
            raise ValueError(name)

    def __fspath__(self):
        return self.full


@app.get("/file")
def file(name: str):
    with open(Below("/srv/files", name)) as stream:  # expect: py/path-traversal
        return {"text": stream.read()}

# case: object that is a path, secure
import os
from fastapi import FastAPI

app = FastAPI()


class Below:
    def __init__(self, root, name):
        self.full = os.path.realpath(os.path.join(root, name))
        if os.path.commonpath([root, self.full]) != root:
            raise ValueError(name)

    def __fspath__(self):
        return self.full


@app.get("/file")
def file(name: str):
    with open(Below("/srv/files", name)) as stream:
        return {"text": stream.read()}

# case: quoted name, insecure
import sqlite3
from flask import Flask, request

app = Flask(__name__)


def quoted(name):
    return "'" + name.replace('"', '""') + "'"


@app.get("/t")
def t():
    con = sqlite3.connect("t.db")
    return {"n": con.execute("SELECT count(*) FROM " + quoted(request.args["t"])).fetchone()}  # expect: py/sql-injection

# case: quoted name, secure
import sqlite3
from flask import Flask, request

app = Flask(__name__)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@app.get("/t")
def t():
    con = sqlite3.connect("t.db")
    return {"n": con.execute("SELECT count(*) FROM " + quoted(request.args["t"])).fetchone()}

# case: name quoted at one place, insecure
import sqlite3
from flask import Flask, request

app = Flask(__name__)


@app.get("/t")
def t():
    name = request.args["t"].replace('"', '""')
    con = sqlite3.connect("t.db")
    return {"n": con.execute(f'SELECT {name}.id FROM "{name}"').fetchone()}  # expect: py/sql-injection

# case: name quoted at one place, secure
import sqlite3
from flask import Flask, request

app = Flask(__name__)


@app.get("/t")
def t():
    name = request.args["t"].replace('"', '""')
    con = sqlite3.connect("t.db")
    return {"n": con.execute(f'SELECT "{name}".id FROM "{name}"').fetchone()}

# case: name of the standard input, insecure
import argparse
import sys


class Opener:
    def __call__(self, name):
        return sys.stdin.buffer if name == "-" else open(name, "rb")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Opener())
    source = parser.parse_args().source
    with open("/srv/copies/" + source.readline().decode(), "wb") as copy:  # expect: py/path-traversal
        copy.write(source.read())


main()

# case: name of the standard input, secure
import argparse
import sys


class Opener:
    def __call__(self, name):
        return sys.stdin.buffer if name == "-" else open(name, "rb")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Opener())
    source = parser.parse_args().source
    with open(source.name + ".copy", "wb") as copy:
        copy.write(source.read())


main()
