# case: path checks of many kinds
import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from flask import abort, request

BASE = Path("/srv/files").resolve()


def a():
    name = os.path.normpath("/" + request.args["f"]).lstrip("/")
    return open(os.path.join("/srv", name)).read()


def b():
    path = (BASE / request.args["f"]).resolve()
    if not str(path).startswith(str(BASE) + os.sep):
        abort(403)
    return path.read_text()


def c():
    path = (BASE / request.args["f"]).resolve()
    if path.parent != BASE:
        abort(403)
    return path.read_text()


def d():
    name = request.args["f"]
    if any(part == ".." for part in PurePosixPath(name).parts) or name.startswith("/"):
        abort(403)
    return (BASE / name).read_text()


def e():
    digest = hashlib.sha256(request.args["f"].encode()).hexdigest()
    return (BASE / digest[:2] / digest).read_bytes()


def f():
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", request.args["f"])
    return (BASE / name).read_text()


def g():
    name = re.sub(r"\.\./", "", request.args["f"])
    return (BASE / name).read_text()  # expect: py/path-traversal


def h():
    name = request.args["f"]
    if name.startswith("../"):
        abort(403)
    return (BASE / name).read_text()  # expect: py/path-traversal


def i():
    name = request.args["f"]
    path = os.path.join("/srv/files", name)
    if os.path.realpath(path) != path:
        abort(403)
    return open(path).read()  # expect: py/path-traversal


def j():
    name = request.args["f"]
    if re.fullmatch(r"[\w-]+\.(png|jpg)", name) is None:
        abort(403)
    return open("/srv/files/" + name, "rb").read()


def k():
    path = os.path.realpath("/srv/files/" + request.args["f"])
    ok = path.startswith("/srv/files/")
    if ok:
        return open(path).read()
    return ""


def l():
    path = os.path.realpath("/srv/files/" + request.args["f"])
    if path.startswith("/srv/files/"):
        result = "fine"
    else:
        result = "bad"
    return result + open(path).read()  # expect: py/path-traversal


def m():
    name = request.args.get("f", "index")
    pages = {path.stem: path for path in BASE.glob("*.md")}
    if name not in pages:
        abort(404)
    return pages[name].read_text()


def n():
    number = int(request.args["n"])
    names = sorted(os.listdir("/srv/files"))
    return open(os.path.join("/srv/files", names[number])).read()


def o():
    return open("/srv/files/%d.txt" % int(request.args["n"])).read()


def q(name: str) -> str:
    """Read one file of the folder."""
    path = BASE / name
    if not path.resolve().is_relative_to(BASE):
        raise ValueError("outside")
    return path.read_text()
# case: checks of statements that do not hold
import sqlite3
from flask import request

db = sqlite3.connect("x")


def a():
    name = request.args["n"]
    if "'" in name:
        return "bad"
    return db.execute("SELECT * FROM t WHERE n = " + name).fetchall()  # expect: py/sql-injection


def b():
    name = request.args["n"]
    if len(name) > 50 or name.lower().find("drop") >= 0:
        return "bad"
    return db.execute(f"SELECT * FROM t WHERE n = '{name}'").fetchall()  # expect: py/sql-injection


def c():
    name = str(request.args["n"]).strip()
    return db.execute("SELECT * FROM t WHERE n = '" + name.replace("'", "''") + "'").fetchall()  # expect: py/sql-injection


def d():
    name = request.args["n"]
    if name.isalpha():
        pass
    return db.execute(f"SELECT * FROM t WHERE n = '{name}'").fetchall()  # expect: py/sql-injection


def e():
    name = request.args["n"]
    valid = name.isalpha()
    if not valid:
        raise ValueError
    return db.execute(f"SELECT * FROM t WHERE n = '{name}'").fetchall()


def f():
    order = request.args.get("order", "asc").lower()
    if order == "asc":
        direction = "ASC"
    elif order == "desc":
        direction = "DESC"
    else:
        direction = "ASC"
    return db.execute("SELECT * FROM t ORDER BY n " + direction).fetchall()


def g():
    column = request.args["c"]
    columns = [row[1] for row in db.execute("PRAGMA table_info(t)")]
    if column not in columns:
        return "bad"
    return db.execute(f"SELECT {column} FROM t").fetchall()


def h():
    rows = db.execute("SELECT * FROM t WHERE n = ?", [request.args["n"]]).fetchall()
    return [db.execute(f"SELECT * FROM u WHERE id = {row[0]}").fetchone() for row in rows]


def i():
    values = request.get_json()
    names = ", ".join(values.keys())
    marks = ", ".join("?" * len(values))
    return db.execute(f"INSERT INTO t ({names}) VALUES ({marks})", list(values.values()))  # expect: py/sql-injection


def j():
    values = request.get_json()
    names = [key for key in values if key in ("a", "b")]
    marks = ", ".join("?" for _ in names)
    return db.execute(f"INSERT INTO t ({', '.join(names)}) VALUES ({marks})", [values[n] for n in names])


def k():
    limit = min(int(request.args.get("limit", 10)), 100)
    offset = max(0, int(request.args.get("offset", 0)))
    return db.execute(f"SELECT * FROM t LIMIT {limit} OFFSET {offset}").fetchall()


def l():
    from datetime import datetime
    day = datetime.strptime(request.args["day"], "%Y-%m-%d").date()
    return db.execute(f"SELECT * FROM t WHERE day = '{day}'").fetchall()
# case: bottle, DRF, quart
import bottle
from bottle import route, request


@route("/hello")
def hello():
    return "<p>" + request.query.name + "</p>"  # expect: py/cross-site-scripting


@route("/safe")
def safe():
    return bottle.template("<p>{{name}}</p>", name=request.query.name)
# case: method views and blueprints
from flask import Blueprint, request
from flask.views import MethodView
from markupsafe import escape

bp = Blueprint("x", __name__)


class Hello(MethodView):
    def get(self, name):
        return f"<p>{name}</p>"  # expect: py/cross-site-scripting

    def post(self):
        return f"<p>{escape(request.form['name'])}</p>"


@bp.route("/x")
def x():
    body = []
    body.append("<p>")
    body.append(request.args["x"])
    body.append("</p>")
    return "".join(body)  # expect: py/cross-site-scripting
# case: archives of many kinds
import os
import tarfile
import zipfile


def a(path):
    tar = tarfile.open(path)
    tar.extractall("out", filter=tarfile.data_filter)
    tar.close()


def b(path):
    tar = tarfile.open(path)
    for member in tar.getmembers():
        if not os.path.abspath(os.path.join("out", member.name)).startswith(os.path.abspath("out") + os.sep):
            raise ValueError(member.name)
    tar.extractall("out")
    tar.close()


def c(path):
    with tarfile.open(path) as tar:
        for member in tar:
            if member.issym():
                continue
            tar.extract(member, "out")  # expect: py/archive-traversal


def check(tar, folder):
    for member in tar.getmembers():
        target = os.path.realpath(os.path.join(folder, member.name))
        if os.path.commonpath([target, os.path.realpath(folder)]) != os.path.realpath(folder):
            raise ValueError("outside")


def d(path, folder):
    with tarfile.open(path) as tar:
        check(tar, folder)
        tar.extractall(folder)


def e(path):
    with tarfile.TarFile.open(path) as tar:
        names = [n for n in tar.getnames() if not n.startswith("/") and ".." not in n]
        for name in names:
            tar.extract(name, "out")


def f(path):
    with zipfile.ZipFile(path) as archive:
        archive.extractall("out")
        for name in archive.namelist():
            base = os.path.basename(name)
            with archive.open(name) as source, open(os.path.join("out", base), "wb") as out:
                out.write(source.read())


def g(path):
    tar = tarfile.open(path, "r:gz")
    tar.extractall(path="/tmp/x", members=None)  # expect: py/archive-traversal


def h(path):
    tar = tarfile.open(path)
    safe = []
    for m in tar.getmembers():
        if m.name.startswith(("/", "..")) or ".." in m.name:
            continue
        safe.append(m)
    tar.extractall("out", members=safe)
# case: keys of services and connection strings
import os

DSN = "Server=db;Database=shop;User Id=sa;Password=Pa55word;"  # expect: py/hardcoded-credentials
GITHUB = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"  # expect: py/hardcoded-credentials
KEY_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"  # expect: py/hardcoded-credentials
SAFE = f"Server=db;Database=shop;User Id=sa;Password={os.environ['PW']};"
HELP = "Set DB_PASSWORD in the environment"
os.environ["DB_PASSWORD"] = "Pa55word"  # expect: py/hardcoded-credentials
# case: forms
import os
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField
from app.forms import UploadForm


class SearchForm(FlaskForm):
    term = StringField("Term")
    count = IntegerField("Count")


def search():
    form = SearchForm()
    if form.validate_on_submit():
        os.system("grep -m " + str(form.count.data) + " x /srv/corpus")
        os.system("grep " + form.term.data + " /srv/corpus")  # expect: py/command-injection


def upload():
    form = UploadForm()
    os.system("touch /srv/" + form.name.data)  # expect: py/command-injection
# case: defaults of the environment and eval
import os
import psycopg2
from flask import request


def connect():
    return psycopg2.connect(host="db", password=os.environ.get("PW", "orange77"))  # expect: py/hardcoded-credentials


def state():
    return eval(request.cookies["state"])  # expect: py/unsafe-deserialization
# case: a statement handed to a function defined elsewhere
from storage import execute_query


def rename(name):
    execute_query("UPDATE t SET name = '" + name + "'")  # expect: py/sql-injection
    execute_query("UPDATE t SET name = %s", (name,))
