# case: calls by other ways
import functools
import importlib
import os
import os.path as osp
import subprocess
from flask import request

run = subprocess.run
o = os


def a():
    run("ls " + request.args["d"], shell=True)  # expect: py/command-injection
    o.system("ls " + request.args["d"])  # expect: py/command-injection
    getattr(os, "system")("ls " + request.args["d"])  # expect: py/command-injection
    __import__("os").system("ls " + request.args["d"])  # expect: py/command-injection
    importlib.import_module("pickle").loads(request.data)  # expect: py/unsafe-deserialization
    open(osp.join("/srv", osp.basename(request.args["f"])))


def b():
    name = request.args["name"]
    os.system("id %(name)s" % locals())  # expect: py/command-injection
    os.system("id {name}".format(**locals()))  # expect: py/command-injection
    os.system("id {name}".format(**{"name": "root"}))


def c():
    joined = functools.reduce(lambda x, y: x + " " + y, request.args.getlist("w"), "echo")
    os.system(joined)  # expect: py/command-injection
    quiet = functools.reduce(lambda x, y: x + y, [1, 2, 3])
    os.system("echo %s" % quiet)


def d():
    command = None

    def choose():
        nonlocal command
        command = "ls " + request.args["d"]

    choose()
    os.system(command)  # expect: py/command-injection


LAST = "ls"


def remember():
    global LAST
    LAST = "ls " + request.args["d"]


def repeat():
    os.system(LAST)  # expect: py/command-injection


def e(*args, **kwargs):
    os.system("ls " + " ".join(args))  # expect: py/command-injection
    os.system("ls {folder}".format(**kwargs))  # expect: py/command-injection


def f(options=None):
    options = options or {}
    options.setdefault("color", "auto")
    os.system("ls --color=" + options["color"])  # expect: py/command-injection


class Holder:
    @property
    def command(self):
        return "ls " + request.args["d"]

    def go(self):
        os.system(self.command)  # expect: py/command-injection

    def set(self, text):
        setattr(self, "text", text)

    def __call__(self, text):
        return os.popen("say " + text)  # expect: py/command-injection


def g():
    first, *rest = request.args["w"].split()
    os.system("echo " + " ".join(rest))  # expect: py/command-injection
    pairs = dict(zip(["a", "b"], ["x", "y"]))
    for key, value in pairs.items():
        os.system(f"echo {key} {value}")
    for number, word in enumerate(sorted(request.args.getlist("w"))):
        os.system(f"echo {number}")
        os.system(f"echo {word}")  # expect: py/command-injection


def h():
    from concurrent.futures import ThreadPoolExecutor

    def work(name):
        os.system("touch " + name)  # expect: py/command-injection

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, request.args.getlist("w")))
# case: values that never reach the danger
import os
import sqlite3
from flask import request


def a():
    name = request.args["name"]
    command = "ls"
    if name == "all":
        command = "ls -a"
    os.system(command)


def b():
    flags = {"long": "-l", "all": "-a"}
    chosen = [flags[f] for f in request.args.getlist("f") if f in flags]
    os.system("ls " + " ".join(chosen))


def c():
    size = len(request.args["text"])
    found = "x" in request.args["text"]
    os.system(f"echo {size} {found}")
    os.system("echo %s" % bool(request.args.get("x")))


def d():
    for name in request.args.getlist("n"):
        if not name.isidentifier():
            continue
        os.system("touch " + name)


def e():
    names = [n for n in request.args.getlist("n") if n.isalnum()]
    os.system("touch " + " ".join(names))
    if all(n.isalnum() for n in request.args.getlist("m")):
        os.system("touch " + " ".join(request.args.getlist("m")))


def f():
    del_mode = request.args.get("mode")
    handler = {"a": do_a, "b": do_b}.get(del_mode, do_a)
    return handler()


def do_a():
    return os.system("true")


def do_b():
    return os.system("false")


def g():
    try:
        number = int(request.args["n"])
    except ValueError as error:
        return {"error": str(error)}
    else:
        os.system(f"head -n {number} x")
    finally:
        os.system("sync")


def h(verbose: bool = False, count=3, ratio: float = 0.5):
    os.system(f"tool --count {count} --ratio {ratio} {'-v' if verbose else ''}")


def i():
    data = request.get_json()
    allowed = {key: data[key] for key in ("name", "age") if key in data}
    sqlite3.connect("x").execute("INSERT INTO t VALUES (:name, :age)", allowed)


def j():
    match request.args.get("kind"):
        case "a" | "b" as kind:
            return os.system("tool " + kind)
        case _:
            return 1
