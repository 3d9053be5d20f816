# case: variants of statements
import sqlite3
import sys
from flask import Flask, request, session

app = Flask(__name__)
STATUS = ["open", "closed"]


@app.route("/a")
def a():
    status = request.args.get("status")
    if status in STATUS:
        return str(sqlite3.connect("x").execute("SELECT 1 FROM t WHERE s = '" + status + "'").fetchall())
    return ""


@app.route("/b")
def b():
    ids = [int(x) for x in request.args.getlist("id")]
    return str(sqlite3.connect("x").execute("SELECT 1 FROM t WHERE id IN (%s)" % ",".join(map(str, ids))).fetchall())


@app.route("/c")
def c():
    ids = request.args.getlist("id")
    return str(sqlite3.connect("x").execute("SELECT 1 FROM t WHERE id IN (%s)" % ",".join(ids)).fetchall())  # expect: py/sql-injection


@app.route("/d")
def d():
    uid = request.args.get("id", type=int)
    return str(sqlite3.connect("x").execute(f"SELECT 1 FROM t WHERE id = {uid}").fetchone())


@app.route("/e")
def e():
    uid = request.args.get("id")
    if not uid.isdigit():
        return "bad", 400
    return str(sqlite3.connect("x").execute(f"SELECT 1 FROM t WHERE id = {uid}").fetchone())


@app.route("/f", methods=["POST"])
def f():
    data = request.get_json()
    with sqlite3.connect("x") as db:
        cur = db.cursor()
        cur.execute("INSERT INTO t VALUES ('%s')" % data["name"])  # expect: py/sql-injection
        cur.execute("INSERT INTO t VALUES (?)", [data["name"]])
        cur.executescript(f"UPDATE t SET a = '{data.get('a')}'; VACUUM")  # expect: py/sql-injection
        cur.execute("SELECT * FROM t ORDER BY name LIMIT {:d}".format(int(data["n"])))
    return "ok"


@app.route("/g")
def g():
    sort = {"n": "name", "d": "date"}.get(request.args.get("s"), "name")
    sql = " ".join(["SELECT * FROM t", "ORDER BY", sort])
    return str(sqlite3.connect("x").execute(sql).fetchall())


@app.route("/h")
def h():
    sql = "SELECT * FROM t WHERE a = ?"
    args = (request.args["a"],)
    if request.args.get("b"):
        sql += " AND b = ?"
        args += (request.args["b"],)
    return str(sqlite3.connect("x").execute(sql, args).fetchall())


def i(user_id: int, db):
    db.execute(f"DELETE FROM t WHERE id = {user_id}")


def j(name: str, db):
    db.execute(f"DELETE FROM t WHERE name = {name!r}")  # expect: py/sql-injection


def k(cursor, table, rows):
    allowed = ("a", "b")
    assert table in allowed
    cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)


def l(cursor, name):
    query = """SELECT * FROM t
               WHERE name = '""" + name + """'
               LIMIT 1"""
    cursor.execute(query)  # expect: py/sql-injection


def m(cursor, name):
    cursor.execute("SELECT * FROM t WHERE name = %(n)s", dict(n=name))
    cursor.execute(str.format("SELECT * FROM t WHERE name = '{}'", name))  # expect: py/sql-injection


def n(session, User, name):
    session.query(User).filter(User.name == name).all()
    session.query(User).filter("name = '%s'" % name).all()  # expect: py/sql-injection


def o(cursor, column, value):
    if column.lower() not in {"a", "b"}:
        raise ValueError
    cursor.execute(f"SELECT * FROM t WHERE {column} = %s", (value,))


def main():
    con = sqlite3.connect("x")
    con.execute("DELETE FROM t WHERE a = '%s'" % sys.argv[1])  # expect: py/sql-injection
    con.execute("DELETE FROM t WHERE a = ?", (sys.argv[1],))
    con.execute("DELETE FROM t WHERE a = %d" % int(sys.argv[1]))
# case: variants of commands
import os
import re
import shlex
import subprocess
from subprocess import PIPE, Popen, check_output
from flask import request


def a():
    cmd = ["/bin/sh", "-c"]
    cmd.append("ls " + request.args["d"])
    Popen(cmd, stdout=PIPE)  # expect: py/command-injection


def b():
    d = request.args["d"]
    check_output("ls {}".format(shlex.quote(d)), shell=True)
    check_output(f"ls '{d}'", shell=True)  # expect: py/command-injection
    check_output(["ls", f"--color={d}"])
    check_output("ls", shell=True, cwd=d)


def c():
    n = request.args["n"]
    try:
        n = int(n)
    except ValueError:
        return "bad"
    os.system("head -n %d x" % n)
    return os.popen(f"head -n {n} x").read()


def d():
    host = request.args["h"]
    if not re.match(r"^[\w.-]+$", host):
        return "bad"
    return os.popen("ping -c1 " + host).read()


def e():
    host = request.args["h"]
    if re.search(r"[;&|`$<>\\]", host):
        return "bad"
    return os.popen("ping -c1 " + host).read()


def f():
    host = request.args["h"]
    if not re.match(r"[\w.-]+", host):
        return "bad"
    return os.popen("ping -c1 " + host).read()  # expect: py/command-injection


def g():
    use_shell = False
    subprocess.run(["ls", request.args["d"]], shell=use_shell)
    args = shlex.split("ls -l " + shlex.quote(request.args["d"]))
    subprocess.run(args)
    subprocess.run(args=["sh", "-c", "ls " + request.args["d"]])  # expect: py/command-injection


def h(filename):
    subprocess.run(f"gzip {filename}", shell=True)  # expect: py/command-injection
    subprocess.run(["gzip", filename])
    subprocess.run(["gzip", "--", filename], shell=False, check=True)


def i(level: int, mode: str = "fast"):
    if mode not in ("fast", "slow"):
        raise ValueError(mode)
    os.system(f"tool --level {level} --mode {mode}")


async def j(reader, name):
    import asyncio
    await asyncio.create_subprocess_shell(f"ls {name}")  # expect: py/command-injection
    await asyncio.create_subprocess_exec("ls", name)
    await asyncio.create_subprocess_exec("sh", "-c", "ls " + name)  # expect: py/command-injection


class Tool:
    SHELL = True

    def run(self, what):
        return subprocess.run("tool " + what, shell=self.SHELL)  # expect: py/command-injection

    @staticmethod
    def quiet(what):
        return subprocess.run(["tool", what])

    @classmethod
    def loud(cls, what):
        return os.system("tool " + what)  # expect: py/command-injection


def k():
    cmd = "ls"
    if request.args.get("all") == "1":
        cmd += " -a"
    os.system(cmd)
    option = "-l" if "long" in request.args else ""
    os.system("ls " + option)


def l():
    os.execvp(request.args["p"], ["x"])  # expect: py/command-injection
    os.execvp("ls", ["ls", request.args["p"]])
    os.spawnlp(os.P_WAIT, "sh", "sh", "-c", request.args["p"])  # expect: py/command-injection


def m():
    name = os.path.basename(request.args["p"])
    os.system("cat " + name)  # expect: py/command-injection
# case: variants of paths
import os
from pathlib import Path
from flask import Flask, abort, request, send_file
from werkzeug.utils import safe_join, secure_filename

app = Flask(__name__)
BASE = Path(__file__).resolve().parent / "files"
ROOT = "/srv/files"


def a():
    p = Path(ROOT) / request.args["f"]
    return p.open().read()  # expect: py/path-traversal


def b():
    p = (BASE / request.args["f"]).resolve()
    try:
        p.relative_to(BASE)
    except ValueError:
        abort(403)
    return p.read_bytes()


def c():
    p = os.path.abspath(os.path.join(ROOT, request.args["f"]))
    if os.path.commonpath([p, ROOT]) == ROOT:
        with open(p) as f:
            return f.read()
    return "no"


def d():
    f = safe_join(ROOT, request.args["f"])
    if f is None:
        abort(404)
    return send_file(f)


def e():
    f = secure_filename(request.args["f"])
    os.remove(os.path.join(ROOT, f))
    os.remove(os.path.join(ROOT, request.args["f"]))  # expect: py/path-traversal
    return "ok"


def f():
    name = request.args["f"]
    if not name.endswith(".txt"):
        abort(400)
    return open(f"{ROOT}/{name}").read()  # expect: py/path-traversal


def g():
    name = request.args["f"]
    if not name.replace("_", "").isalnum():
        abort(400)
    return open(f"{ROOT}/{name}.txt").read()


def h():
    name = request.args["f"]
    allowed = {"a.txt", "b.txt"}
    if name in allowed:
        return open(os.path.join(ROOT, name)).read()
    abort(404)


def i(base_dir, user, name):
    target = os.path.normpath(os.path.join(base_dir, user, name))
    if not target.startswith(os.path.abspath(base_dir)):
        raise ValueError("outside")
    return open(target).read()  # expect: py/path-traversal


def j(user_file):
    with open("/var/data/" + user_file) as f:  # expect: py/path-traversal
        return f.read()


def k(user_file):
    full = os.path.realpath(os.path.join("/var/data", user_file))
    if not full.startswith("/var/data" + os.sep):
        raise PermissionError
    with open(full) as f:
        return f.read()


def l(user_id: int, kind):
    kinds = {"img": "images", "doc": "documents"}
    return open(f"/srv/{kinds[kind]}/{user_id}").read()


def m(name):
    path = Path("/srv") / Path(name).name
    return path.read_text()


def n(name):
    path = Path("/srv").joinpath(name)
    if ".." in path.parts:
        raise ValueError
    return path.read_text()  # expect: py/path-traversal


def o(name):
    safe = "".join(ch for ch in name if ch.isalnum() or ch in "._-")
    return open(os.path.join("/srv", safe)).read()


def q(name):
    if os.path.isabs(name) or ".." in name.split(os.sep):
        raise ValueError
    return open(os.path.join("/srv", name)).read()


def r(name):
    if not os.path.exists("/srv/" + name):
        raise FileNotFoundError
    return os.listdir("/srv/" + name)  # expect: py/path-traversal


def s(upload):
    upload.save(os.path.join("/srv", upload.filename))  # expect: py/path-traversal
    upload.save(os.path.join("/srv", secure_filename(upload.filename)))
# case: path check of a class with a private method
import os


class Files:
    def __init__(self, root):
        self.root = os.path.realpath(root)

    def _resolve(self, name):
        path = os.path.realpath(os.path.join(self.root, name))
        if os.path.commonpath((self.root, path)) != self.root:
            raise ValueError("outside")
        return path

    def read(self, name):
        with open(self._resolve(name)) as stream:
            return stream.read()

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w") as stream:  # expect: py/path-traversal
            stream.write(text)
# case: FastAPI uploads
import shutil
import uuid
from pathlib import Path
from fastapi import FastAPI, File, UploadFile

app = FastAPI()
UPLOADS = Path("uploads")


@app.post("/bad")
async def bad(file: UploadFile = File(...)):
    with open(UPLOADS / file.filename, "wb") as out:  # expect: py/path-traversal
        shutil.copyfileobj(file.file, out)


@app.post("/good")
async def good(file: UploadFile = File(...)):
    with open(UPLOADS / f"{uuid.uuid4()}.bin", "wb") as out:
        shutil.copyfileobj(file.file, out)
    name = Path(file.filename).name
    (UPLOADS / name).write_bytes(await file.read())
