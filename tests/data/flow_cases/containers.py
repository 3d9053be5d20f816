# case: a list whose items move
from flask import request


def shifted(cursor):
    parts = ["a"]
    parts.append(request.args["name"])
    parts.pop(0)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])  # expect: py/sql-injection


def popped(cursor):
    parts = [request.args["name"], "a"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts.pop())
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts.pop())  # expect: py/sql-injection


def inserted(cursor):
    parts = ["a"]
    parts.insert(0, request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[1])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])  # expect: py/sql-injection


def deleted(cursor):
    parts = ["a", request.args["name"]]
    del parts[0]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])  # expect: py/sql-injection


def reversed_in_place(cursor):
    parts = [request.args["name"], "a"]
    parts.reverse()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[1])  # expect: py/sql-injection


def sorted_in_place(cursor):
    parts = ["a", request.args["name"]]
    parts.sort()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])  # expect: py/sql-injection


def moved_in_a_branch(cursor, newest):
    parts = ["a", request.args["name"]]
    if newest:
        parts.pop(0)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])  # expect: py/sql-injection


def unpacked(cursor):
    first, *others = ["a", "b", request.args["name"]]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % others[0])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % others[1])  # expect: py/sql-injection


def slice_replaced(cursor):
    parts = ["a", "b"]
    parts[1:] = [request.args["name"]]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[1])  # expect: py/sql-injection


def cleared(cursor):
    parts = [request.args["name"]]
    parts.clear()
    parts.append("a")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % parts[0])
# case: a copy is another list
from flask import request


def copies(cursor):
    names = ["a"]
    more = names.copy()
    more.append(request.args["name"])
    others = list(names)
    others.insert(0, request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n IN ('%s')" % "','".join(names))
    cursor.execute("SELECT * FROM t WHERE n IN ('%s')" % "','".join(more))  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n IN ('%s')" % "','".join(others))  # expect: py/sql-injection
# case: deque, heap and queue
import collections
import heapq
import queue
from collections import deque

from flask import request

WAITING = queue.Queue()


def through_a_deque(cursor):
    waiting = deque(["a"], maxlen=3)
    waiting.appendleft(request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % waiting.pop())
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % waiting.popleft())  # expect: py/sql-injection


def through_a_rotation(cursor):
    waiting = collections.deque()
    waiting.extend([request.args["name"], "a"])
    waiting.rotate(1)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % waiting[1])  # expect: py/sql-injection


def through_a_heap(cursor):
    heap = []
    heapq.heappush(heap, request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % heapq.heappop(heap))  # expect: py/sql-injection


def take(cursor):
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % WAITING.get())  # expect: py/sql-injection


def put():
    WAITING.put(request.args["name"])


def through_a_queue_of_numbers(cursor):
    waiting = queue.SimpleQueue()
    waiting.put(int(request.args["number"]))
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % waiting.get_nowait())
# case: dictionaries that make what is missing
from collections import OrderedDict, defaultdict

from flask import request


def groups(cursor):
    groups = defaultdict(list)
    groups["n"].append(request.args["name"])
    groups["m"].append("a")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % groups["m"][0])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % groups["n"][0])  # expect: py/sql-injection


def nested(cursor):
    tree = defaultdict(lambda: defaultdict(set))
    tree["a"]["b"].add(request.args["name"])
    for name in tree["a"]["b"]:
        cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection


def grown(cursor):
    texts = defaultdict(str)
    texts["where"] += request.args["name"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % texts["where"])  # expect: py/sql-injection


def of_pairs(cursor):
    found = OrderedDict([("a", "b"), ("n", request.args["name"])])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % found["a"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % found["n"])  # expect: py/sql-injection


def with_a_default(cursor):
    found = {}
    found.setdefault("n", []).append(request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % found["n"][0])  # expect: py/sql-injection
# case: settings
import configparser

from flask import request


def set_and_read(cursor):
    settings = configparser.ConfigParser()
    settings.add_section("u")
    settings.set("u", "name", request.args["name"])
    settings.set("u", "kind", "a")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings.get("u", "kind"))
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings.get("u", "name"))  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings["u"]["name"])  # expect: py/sql-injection


def stored_by_item(cursor):
    settings = configparser.RawConfigParser()
    settings["u"] = {"name": request.args["name"], "kind": "a"}
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings.get("u", "kind"))
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings.get("u", "name"))  # expect: py/sql-injection


def uploaded(cursor):
    settings = configparser.ConfigParser()
    settings.read_string(request.get_data(as_text=True))
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings.getint("u", "number"))
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % settings["u"].get("name"))  # expect: py/sql-injection


def own(cursor):
    settings = configparser.ConfigParser()
    settings.read("/etc/shop.ini")
    cursor.execute("SELECT * FROM %s" % settings["db"]["table"])
# case: attributes by name
from types import SimpleNamespace

from flask import request


class Query:
    pass


def by_setattr(cursor):
    query = Query()
    setattr(query, "name", request.args["name"])
    setattr(query, "kind", "a")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % query.kind)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % query.name)  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % getattr(query, "name"))  # expect: py/sql-injection


def all_arguments(cursor):
    query = Query()
    for name, value in request.args.items():
        setattr(query, name, value)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % query.name)  # expect: py/sql-injection


def namespace(cursor):
    query = SimpleNamespace(kind="a", name=request.args["name"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % query.kind)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % query.name)  # expect: py/sql-injection
# case: objects that all functions see
import threading
from contextvars import ContextVar

import flask
from flask import Flask, current_app, g, request

app = Flask(__name__)
local = threading.local()
current = ContextVar("current", default="a")


@app.route("/a")
def reads_first(cursor):
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % g.name)  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % g.get("name"))  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % g.kind)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % local.name)  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % current.get())  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % current_app.config["NAME"])  # expect: py/sql-injection
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % current_app.config["KIND"])


@app.before_request
def remember():
    flask.g.name = request.args["name"]
    flask.g.kind = "a"
    local.name = request.args["name"]
    current.set(request.args["name"])
    current_app.config["NAME"] = request.args["name"]
    current_app.config["KIND"] = "a"
# case: objects of one function
from flask import request

from shop import Basket


def first():
    basket = Basket()
    basket.name = request.args["name"]
    return basket


def second(cursor):
    basket = Basket()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % basket.name)
# case: all arguments by name
import sqlite3

from flask import request


def find(**options):
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % options["name"])  # expect: py/sql-injection


def find_by(kind="a", **options):
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % kind)  # expect: py/sql-injection
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % options.get("name"))  # expect: py/sql-injection


def find_safely(**options):
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = ?", (options["name"],))


def show():
    find(**request.args)
    find_by(**dict(request.args))
    find_safely(**request.args)


def as_dictionary(cursor):
    options = dict(kind="a", **request.args)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % options["kind"])
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % options["name"])  # expect: py/sql-injection
