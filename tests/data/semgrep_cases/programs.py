import html
import os
import pickle
import re
import shlex
import subprocess

import yaml
from flask import make_response, request
from jinja2 import Environment, select_autoescape


def find(cursor):
    name = request.args.get("name")
    cursor.execute(f"SELECT * FROM users WHERE name = '{name}'")  # expect: py/sql-injection


def find_concatenated(cursor):
    cursor.execute("SELECT * FROM users WHERE name = '" + request.form["name"] + "'")  # expect: py/sql-injection


def find_bound(cursor):
    name = request.args.get("name")
    cursor.execute("SELECT * FROM users WHERE name = ?", (name,))


def find_by_number(cursor):
    cursor.execute("SELECT * FROM users WHERE id = %d" % int(request.args["id"]))


def find_listed(cursor):
    column = request.args.get("sort")
    if column not in ("name", "age"):
        return
    cursor.execute(f"SELECT * FROM users ORDER BY {column}")


def ping():
    os.system("ping -c 1 " + request.args["host"])  # expect: py/command-injection


def ping_by_shell():
    host = request.args["host"]
    subprocess.run(["sh", "-c", f"ping -c 1 {host}"])  # expect: py/command-injection


def ping_quoted():
    os.system("ping -c 1 " + shlex.quote(request.args["host"]))


def ping_listed():
    subprocess.run(["ping", "-c", "1", request.args["host"]], check=True)


def ping_matched():
    host = request.args["host"]
    if not re.fullmatch(r"[a-z0-9.]+", host):
        return
    subprocess.run(f"ping -c 1 {host}", shell=True)


def read():
    with open("/srv/" + request.args["name"]) as stream:  # expect: py/path-traversal
        return stream.read()


def read_plain():
    return open("/srv/" + os.path.basename(request.args["name"])).read()


def greet():
    return make_response("<b>" + request.args["name"] + "</b>")  # expect: py/cross-site-scripting


def greet_escaped():
    return make_response("<b>" + html.escape(request.args["name"]) + "</b>")


def restore():
    return pickle.loads(request.data)  # expect: py/unsafe-deserialization


def restore_yaml():
    return yaml.load(request.data, Loader=yaml.Loader)  # expect: py/unsafe-deserialization


def restore_safely():
    return yaml.safe_load(request.data)


def share(path):
    os.chmod(path, 0o666)  # expect: py/weak-file-permissions
    os.chmod(path, 0o600)


plain = Environment(autoescape=False)  # expect: py/template-without-escaping
escaped = Environment(autoescape=select_autoescape())


def page(template):
    return make_response(template.render(name=request.args["name"]))
