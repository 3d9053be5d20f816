# case: a loop that checks each of several values
import os

from flask import request


def both_checked():
    old, new = request.args["old"], request.args["new"]
    for name in (old, new):
        if os.sep in name or name.startswith("."):
            raise ValueError("no name")
    os.rename(os.path.join("/srv/a", old), os.path.join("/srv/a", new))


def one_checked():
    old, new = request.args["old"], request.args["new"]
    for name in (old,):
        if os.sep in name:
            raise ValueError("no name")
    os.rename(os.path.join("/srv/a", old), os.path.join("/srv/a", new))  # expect: py/path-traversal


def checked_until_a_break():
    old, new = request.args["old"], request.args["new"]
    for name in (old, new):
        if os.sep in name:
            raise ValueError("no name")
        break
    os.rename(os.path.join("/srv/a", old), os.path.join("/srv/a", new))  # expect: py/path-traversal
# case: the folder of a path is the root
import os

from flask import request

ROOT = "/srv/files"


def of_the_whole_path():
    path = os.path.abspath(os.path.join(ROOT, request.args["f"] + ".png"))
    if os.path.dirname(path) != os.path.abspath(ROOT):
        raise ValueError("outside")
    os.unlink(path)


def not_normalised():
    path = os.path.join(ROOT, request.args["f"])
    if os.path.dirname(path) != ROOT:
        raise ValueError("outside")
    os.unlink(path)  # expect: py/path-traversal


def relative():
    path = os.path.normpath(os.path.join(ROOT, request.args["f"]))
    if os.path.relpath(path, ROOT).startswith(os.pardir):
        raise ValueError("outside")
    return open(path).read()
# case: a name that equals its last part
import os
from pathlib import Path

from flask import request


def by_path():
    name = request.args["f"]
    if name != Path(name).name:
        raise ValueError("no name")
    return (Path("/srv/files") / name).open().read()


def by_basename():
    name = request.args["f"]
    if os.path.basename(name) == name:
        return open(os.path.join("/srv/files", name)).read()


def other_name():
    name, other = request.args["f"], request.args["g"]
    if name != os.path.basename(other):
        raise ValueError("no name")
    return open(os.path.join("/srv/files", name)).read()  # expect: py/path-traversal
# case: nothing is left of a set
from flask import request

COLUMNS = {"name", "phone"}


def unknown_columns(cursor):
    changes = request.get_json()
    unknown = set(changes) - COLUMNS
    if unknown:
        raise KeyError(", ".join(sorted(unknown)))
    assignments = ", ".join(f"{column} = ?" for column in changes)
    cursor.execute(f"UPDATE t SET {assignments}", tuple(changes.values()))


def unknown_in_a_list(cursor):
    columns = request.args.getlist("column")
    if [column for column in columns if column not in COLUMNS]:
        raise KeyError("unknown")
    cursor.execute(f"SELECT {', '.join(columns)} FROM t")


def known_in_a_list(cursor):
    columns = request.args.getlist("column")
    if [column for column in columns if column in COLUMNS]:
        return
    cursor.execute(f"SELECT {', '.join(columns)} FROM t")  # expect: py/sql-injection


def some_left(cursor):
    columns = set(request.args.getlist("column")) - COLUMNS
    if not columns:
        return
    cursor.execute(f"SELECT {', '.join(columns)} FROM t")  # expect: py/sql-injection
# case: dates and functions as replacements
import html
import re

from flask import Flask, request

app = Flask(__name__)


def history(messages):
    parts = ["<dl>"]
    for message in messages:
        parts.append(f"<dt>{message.sent.strftime('%H:%M')}</dt><dd>{html.escape(message.text)}</dd>")
    return "".join(parts)


def linked(text):
    def link(found):
        return f'<a href="{found.group(1)}">'

    return re.sub(r"\[(.*)\]", link, html.escape(text))


@app.route("/a")
def raw():
    def link(found):
        return f'<a href="{found.group(1)}">'

    return re.sub(r"\[(.*)\]", link, request.args["text"])  # expect: py/cross-site-scripting
# case: words of ssh
import subprocess

from flask import request


def host():
    host = request.args["host"]
    subprocess.run(["ssh", "-o", "BatchMode=yes", host, "uptime"])  # expect: py/command-injection


def host_without_dash():
    host = request.args["host"]
    if host.startswith("-"):
        raise ValueError("no host")
    subprocess.run(["ssh", "-o", "BatchMode=yes", host, "uptime"])


def after_the_user():
    subprocess.run(["ssh", "-p", "22", "backup@" + request.args["host"], "uptime"])


def command():
    subprocess.run(["ssh", "-v", "backup@example.com", "ls " + request.args["d"]])  # expect: py/command-injection
    subprocess.run(["ssh", "backup@example.com", request.args["command"]])  # expect: py/command-injection


def after_the_options():
    subprocess.run(["ssh", "-v", "--", request.args["host"], "uptime"])
    subprocess.run(["ssh", "--", request.args["host"], request.args["command"]])  # expect: py/command-injection
