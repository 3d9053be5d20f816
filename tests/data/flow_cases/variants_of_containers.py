# case: restx
from flask_restx import Resource, reqparse, Namespace
ns = Namespace("a")
p = reqparse.RequestParser()
p.add_argument("q", location="args")
@ns.route("/x")
class X(Resource):
    @ns.expect(p)
    def get(self):
        a = p.parse_args()
        conn.execute(f"select '{a['q']}'")  # expect: py/sql-injection
# case: webargs
from webargs import fields
from webargs.flaskparser import use_args, use_kwargs
from flask import Flask
app = Flask(__name__)
@app.route("/x")
@use_args({"n": fields.Str()}, location="query")
def x(args):
    conn.execute(f"select '{args['n']}'")  # expect: py/sql-injection
# case: kinesis
import boto3, os
def run():
    k = boto3.client("kinesis")
    for r in k.get_records(ShardIterator="a")["Records"]:
        os.system("echo " + r["Data"].decode())  # expect: py/command-injection
# case: type alias with fstring
type Row = dict[str, str]
def f[T: Row](cur, request_row: T) -> str:
    from flask import request
    cur.execute(f"select {", ".join(f"'{v}'" for v in request.args.values())}")  # expect: py/sql-injection
# case: except group
from flask import request
import os
def f():
    try:
        n = int(request.args["n"])
    except ValueError, TypeError:
        return "no"
    os.system(f"echo {n}")
# case: list rebuilt
from flask import request
def f(cur):
    parts = ["a", request.args["n"]]
    parts = parts[1:]
    cur.execute("select '%s'" % parts[0])  # expect: py/sql-injection
# case: dict pop
from flask import request
def f(cur):
    d = {"a": "b"}
    d["n"] = request.args["n"]
    n = d.pop("n")
    cur.execute("select '%s'" % n)  # expect: py/sql-injection
    cur.execute("select '%s'" % d.pop("a"))
# case: session store
from flask import session, request, Flask
app = Flask(__name__)
@app.route("/a")
def a():
    session["n"] = request.args["n"]
    return ""
@app.route("/b")
def b():
    conn.execute("select '%s'" % session["n"])  # expect: py/sql-injection
    return ""
# case: heap replace
import heapq
from flask import request
def f(cur):
    h = []
    heapq.heappush(h, (1, request.args["n"]))
    _, n = heapq.heappop(h)
    cur.execute("select '%s'" % n)  # expect: py/sql-injection
# case: itertools chain
import itertools
from flask import request
def f(cur):
    for n in itertools.chain(["a"], request.args.getlist("n")):
        cur.execute("select '%s'" % n)  # expect: py/sql-injection
# case: queue task clean
import queue
from flask import request
def f(cur):
    q = queue.Queue()
    q.put(request.args["n"])
    cur.execute("select ?", (q.get(),))
# case: sh -c fixed args
import subprocess
from flask import request
def f():
    argv = ["docker", "run", "img", "sh", "-c", "ls -l"]
    argv.append(request.args["d"])
    subprocess.run(argv)
