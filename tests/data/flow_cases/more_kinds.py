# case: lists with a shell inside, built step by step
import subprocess

from flask import request

IMAGE = ["docker", "run", "img"]


def appended():
    command = ["docker", "exec", "web"]
    command.append("sh")
    command.append("-c")
    command.append("ls " + request.args["d"])
    subprocess.run(command)  # expect: py/command-injection


def extended():
    command = ["nice"]
    command.extend(["bash", "-lc"])
    command.extend([f"ls {request.args['d']}"])
    subprocess.check_output(command)  # expect: py/command-injection


def added():
    subprocess.call(IMAGE + ["sh", "-c", "ls " + request.args["d"]])  # expect: py/command-injection


def starred():
    subprocess.call([*IMAGE, "sh", "-c", "ls " + request.args["d"]])  # expect: py/command-injection


def after_a_branch():
    command = ["docker", "run"]
    if request.args.get("quiet"):
        command += ["--quiet"]
    command += ["img", "sh", "-c", "ls " + request.args["d"]]
    subprocess.run(command)  # expect: py/command-injection


def in_a_loop():
    command = ["sh", "-c"]
    for name in request.args.getlist("d"):
        command.append("ls " + name)
    subprocess.run(command)  # expect: py/command-injection


def quoted_argument():
    command = ["docker", "run", "img"]
    command += ["sh", "-c", 'ls "$1"', "sh", request.args["d"]]
    subprocess.run(command)


def no_shell():
    command = ["docker", "run", "img"]
    if request.args.get("quiet"):
        command += ["--quiet"]
    command += ["ls", "-c", request.args["d"]]
    subprocess.run(command)
# case: texts of exceptions
import json
from datetime import datetime
from uuid import UUID

from flask import Flask, jsonify, request
from markupsafe import escape

app = Flask(__name__)
COLOURS = {"red": 1}


@app.route("/a")
def conversion():
    try:
        return str(int(request.args["n"]))
    except ValueError as error:
        return "<p>" + str(error), 400  # expect: py/cross-site-scripting


@app.route("/b")
def own():
    try:
        if len(request.args["n"]) > 3:
            raise ValueError(f"{request.args['n']} is too long")
    except ValueError as error:
        return f"<p>{error.args[0]}"  # expect: py/cross-site-scripting
    return "ok"


def parse(text):
    day = datetime.strptime(text, "%Y-%m-%d")
    if day.year < 2000:
        raise LookupError("too early: %s" % text)
    return day


@app.route("/c")
def in_a_helper():
    try:
        parse(request.args["day"])
    except (ValueError, LookupError) as error:
        return "<p>{}</p>".format(error)  # expect: py/cross-site-scripting
    return "ok"


@app.route("/d")
def missing_key():
    try:
        return str(COLOURS[request.args["c"]])
    except KeyError as error:
        return f"<p>no colour {error}"  # expect: py/cross-site-scripting


@app.route("/e")
def escaped():
    try:
        return str(int(request.args["n"]))
    except ValueError as error:
        return f"<p>{escape(str(error))}"


@app.route("/f")
def as_json():
    try:
        return str(int(request.args["n"]))
    except ValueError as error:
        return jsonify(error=str(error))


@app.route("/g")
def without_text():
    try:
        return str(UUID(request.args["n"]))
    except ValueError as error:
        return f"<p>{error}"


@app.route("/h")
def other_text():
    try:
        json.loads(request.args["n"])
    except ValueError as error:
        return f"<p>{error}"
    return "ok"
# case: encoded and decoded again
import base64
import binascii
import codecs
from base64 import b64decode, urlsafe_b64encode

from flask import request


def base64_twice(cursor):
    name = base64.b64decode(base64.b64encode(request.args["name"].encode())).decode()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection


def through_names(cursor):
    token = urlsafe_b64encode(request.args["name"].encode("utf-8"))
    text = str(base64.urlsafe_b64decode(token), "utf-8")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % text)  # expect: py/sql-injection


def hexadecimal(cursor):
    token = request.args["name"].encode().hex()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % token)
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % bytes.fromhex(token).decode())  # expect: py/sql-injection


def by_binascii(cursor):
    token = binascii.hexlify(request.args["name"].encode())
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % token.decode())
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % binascii.unhexlify(token).decode())  # expect: py/sql-injection


def by_codecs(cursor):
    token = codecs.encode(request.args["name"].encode(), "hex")
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % codecs.decode(token, "hex").decode())  # expect: py/sql-injection


def encoded_only(cursor):
    token = base64.b64encode(request.args["name"].encode()).decode()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % token)


def converted_before(cursor):
    number = int(request.args["number"])
    text = b64decode(base64.b64encode(str(number).encode())).decode()
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % text)
# case: regular expressions in queries
import re
import sys

import pandas as pd
from flask import request

table = pd.read_csv("a.csv")


def contained():
    return table[table["n"].str.contains(request.args["q"], case=False)]  # expect: py/regex-injection


def contained_text():
    return table[table["n"].str.contains(request.args["q"], regex=False)]


def escaped():
    return table[table["n"].str.contains(re.escape(request.args["q"]))]


def matched(frame):
    return frame.n.str.match(request.args["q"])  # expect: py/regex-injection


def replaced(frame):
    frame.n.str.replace(request.args["q"], "a")
    return frame.n.str.replace(request.args["q"], "a", regex=True)  # expect: py/regex-injection


def columns(frame):
    return frame.filter(regex=request.args["q"])  # expect: py/regex-injection


def documents(collection):
    collection.find({"name": request.args["q"]})
    return collection.find({"name": {"$regex": request.args["q"]}})  # expect: py/regex-injection


def models(User):
    User.objects.filter(name__contains=request.args["q"])
    return User.objects.filter(name__iregex=request.args["q"])  # expect: py/regex-injection


def main():
    for line in sys.stdin:
        if re.search(sys.argv[1], line):  # expect: py/regex-injection
            print(line)
        if re.search(re.escape(sys.argv[1]), line):
            print(line)
# case: an option that is meant to be a pattern
import argparse
import re


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pattern")
    parser.add_argument("name")
    options = parser.parse_args()
    for line in open("a.log"):
        if re.search(options.pattern, line):
            print(line)
        if re.search(f"user={options.name}$", line):  # expect: py/regex-injection
            print(line)
# case: generated keys under other names
import hashlib

import somesdk
from somesdk import Client

key = "vZ93kfQpL0aX7TtB2mWc8YdR4uHs6EjN"  # expect: py/hardcoded-credentials
client = Client("https://api.example", key)  # expect: py/hardcoded-credentials
other = somesdk.ApiClient("eu", "Qx7Lm2Vt9Zr4Kp8Wn3Bc6Hd1")  # expect: py/hardcoded-credentials
session = somesdk.open(auth="Qx7Lm2Vt9Zr4Kp8Wn3Bc6Hd1")  # expect: py/hardcoded-credentials
digest_key = hashlib.sha256(b"a").hexdigest()
key = "user_profile_settings"
sort_key = "createdAtThenUpdatedAtAndName"
cache_key = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
commit = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
client = Client("https://api.example", "projects/shop/locations/eu")
client = Client("https://api.example", load_key("shop"))
# case: modes for some others
import os


def programs(path):
    os.chmod(path, 0o755)
    os.chmod(path, 0o711)
    os.chmod(path, 0o750)
    os.chmod(path, 0o704)  # expect: py/weak-file-permissions
    os.chmod(path, 0o705)  # expect: py/weak-file-permissions
# case: branches that numbers decide
from flask import request

LIMIT = 86


def never(cursor):
    limit = 86
    name = "a" if 7 * 42 - limit > 200 else request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)


def always(cursor):
    limit = 86
    name = "a" if 7 * 42 - limit < 200 else request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection


def statement(cursor):
    name, limit = "a", 86
    if limit % 2 == 1:
        name = request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)


def setting(cursor):
    name = "a"
    if LIMIT > 100:
        name = request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection


def counted(cursor):
    count = 0
    name = "a"
    for each in request.args:
        count += 1
        if count > 1:
            name = request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection


def looped(cursor):
    count = 0
    name = "a"
    while count < 3:
        count += 1
        name = request.args["n"]
    cursor.execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
# case: input of a program without a shell
import asyncio

from aiohttp import web


async def count(request):
    process = await asyncio.create_subprocess_exec("wc", "-w", stdin=asyncio.subprocess.PIPE)
    await process.communicate(request.query["text"].encode())
    process.stdin.write(request.query["text"].encode())
    return web.json_response({})


async def run(request):
    await asyncio.create_subprocess_exec("sh", "-c", "wc " + request.query["file"])  # expect: py/command-injection
    await asyncio.create_subprocess_exec(request.query["tool"], "-w")  # expect: py/command-injection
# case: rows of a query in another statement
import sqlite3


def in_a_loop(connection):
    for (name,) in connection.execute("SELECT name FROM signups"):
        connection.execute("UPDATE t SET seen = 1 WHERE n = '%s'" % name)  # expect: py/sql-injection
        connection.execute("UPDATE t SET seen = 1 WHERE n = ?", (name,))


def fetched(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT id, name FROM signups WHERE id = ?", (1,))
    number, name = cursor.fetchone()
    cursor.execute(f"DELETE FROM t WHERE id = {number}")
    cursor.execute(f"DELETE FROM t WHERE n = '{name}'")  # expect: py/sql-injection


def cursor_as_rows():
    cursor = sqlite3.connect("a.db").cursor()
    cursor.execute("SELECT name FROM signups")
    for row in cursor:
        sqlite3.connect("b.db").execute("DELETE FROM t WHERE n LIKE '%" + row[0] + "%'")  # expect: py/sql-injection


def of_all(session, text):
    rows = session.execute("SELECT name FROM signups").fetchall()
    names = [row["name"] for row in rows]
    session.execute("SELECT * FROM t WHERE n = '" + names[0] + "'")  # expect: py/sql-injection


def tables(connection):
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        connection.execute(f"DROP TABLE '{name}'")


def elsewhere(connection):
    import os
    (name,) = connection.execute("SELECT name FROM signups").fetchone()
    os.system("echo " + name)
    return open("/srv/" + name).read()


def checked(connection, name):
    from flask import request
    if request.args["kind"] in [row[0] for row in connection.execute("SELECT kind FROM kinds")]:
        connection.execute("SELECT * FROM t WHERE kind = '%s'" % request.args["kind"])
