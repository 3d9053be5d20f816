# Sound programs of kinds that were judged wrongly, each beside one that differs in what matters.

# case: the input of a program that was started without a shell
import asyncio

from aiohttp import web


async def count(request):
    text = request.query["text"]
    process = await asyncio.create_subprocess_exec("wc", "-w", stdin=asyncio.subprocess.PIPE)
    await process.communicate(text.encode())
    return web.json_response({})

# case: the input of a program that was started without a shell, written to its pipe
import asyncio
from asyncio.subprocess import PIPE

from aiohttp import web


async def count(request):
    process = await asyncio.subprocess.create_subprocess_exec("sort", stdin=PIPE, stdout=PIPE)
    process.stdin.write((await request.text()).encode())
    process.stdin.write_eof()
    return web.Response(text=(await process.stdout.read()).decode())

# case: the input of Popen and of run
import subprocess

from flask import Flask, request

app = Flask(__name__)


@app.route("/sort", methods=["POST"])
def sort():
    process = subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.communicate(request.get_data())
    done = subprocess.run(["wc", "-w"], input=request.get_data(), check=True)
    return str(done.returncode)

# case: a request chooses the program
import asyncio

from aiohttp import web


async def start(request):
    await asyncio.create_subprocess_exec(request.query["program"], "-w")  # expect: py/command-injection
    return web.json_response({})

# case: a request writes the script of a shell
import asyncio

from aiohttp import web


async def start(request):
    await asyncio.create_subprocess_exec("sh", "-c", request.query["script"])  # expect: py/command-injection
    return web.json_response({})

# case: a branch that constant arithmetic decides
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    n = 106
    name = "a" if 7 * 18 + n > 200 else request.args["n"]
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)
    return "ok"

# case: an if statement that constant arithmetic decides
import os

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    limit = 500 // 42
    if limit % 2 == 1:
        folder = "/srv"
    else:
        folder = request.args["d"]
    os.system("ls " + folder)
    return "ok"

# case: a branch that constant arithmetic decides for the request
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    n = 106
    name = "a" if 7 * 18 + n < 200 else request.args["n"]
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
    return "ok"

# case: a letter of a constant decides a match
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    match "ABC"[1]:
        case "A" | "C":
            name = request.args["n"]
        case "B":
            name = "bob"
        case _:
            name = request.args["m"]
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)
    return "ok"

# case: a text that is equal to a constant decides a branch, unless it is a setting of the module
import sqlite3

from flask import Flask, request

app = Flask(__name__)
MODE = "strict"


@app.route("/x")
def x():
    kind = "strict"
    name = request.args["n"]
    if kind == "strict":
        name = "bob"
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)
    return "ok"


@app.route("/y")
def y():
    name = request.args["n"]
    if MODE == "strict":
        name = "bob"
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
    return "ok"

# case: a number that changes in a loop decides nothing by its first value
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    tries = 0
    name = "bob"
    while tries < 3:
        if tries == 2:
            name = request.args["n"]
        tries += 1
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
    return "ok"

# case: a number that a branch changes decides nothing by its first value
import sqlite3

from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    level = 1
    if request.args.get("deep"):
        level = 5
    name = request.args["n"] if level > 3 else "bob"
    sqlite3.connect("a.db").execute("SELECT * FROM t WHERE n = '%s'" % name)  # expect: py/sql-injection
    return "ok"

# case: the content of a file inside the folder
from pathlib import Path

from flask import Flask, request

app = Flask(__name__)


@app.route("/page")
def page():
    base = Path("/srv/pages").resolve()
    place = (base / request.args["f"]).resolve()
    if not place.is_relative_to(base):
        return "no"
    return place.read_text()

# case: the content of a file inside the folder, opened and decoded
import os

from flask import Flask, request

app = Flask(__name__)
BASE = "/srv/pages"


@app.route("/page")
def page():
    place = os.path.realpath(os.path.join(BASE, request.args["f"]))
    if os.path.commonpath([place, BASE]) != BASE:
        return "no", 404
    with open(place, "rb") as file:
        text = file.read().decode("utf-8")
    return "<pre>" + text + "</pre>"

# case: lines of a file inside the folder
import os

from flask import Flask, request

app = Flask(__name__)
BASE = "/srv/pages/"


@app.route("/page")
def page():
    place = os.path.realpath(os.path.join(BASE, request.args["f"]))
    if not place.startswith(BASE):
        return "no", 404
    with open(place) as file:
        return "<br>".join(line.strip() for line in file)

# case: whether a file inside the folder exists
from pathlib import Path

from flask import Flask, request

app = Flask(__name__)
BASE = Path("/srv/pages")


@app.route("/there")
def there():
    place = (BASE / request.args["f"]).resolve()
    if BASE not in place.parents:
        return "no"
    return str(place.is_file())

# case: whether a file inside the folder exists, and how large it is
import os

from flask import Flask, request

app = Flask(__name__)
BASE = "/srv/pages/"


@app.route("/there")
def there():
    place = os.path.realpath(BASE + request.args["f"])
    if not place.startswith(BASE):
        return "no"
    found = os.path.exists(place)
    return f"<b>{found}</b> {os.path.getsize(place)} {os.stat(place).st_size}"

# case: tests of a text in a page
from flask import Flask, request

app = Flask(__name__)


@app.route("/is")
def is_word():
    word = request.args["w"]
    return f"<b>{word.isalpha()}</b> {word == 'a'} {'x' in word} {len(word) > 3} {bool(word)}"

# case: the name of the file in the page
from pathlib import Path

from flask import Flask, request

app = Flask(__name__)


@app.route("/page")
def page():
    base = Path("/srv/pages").resolve()
    place = (base / request.args["f"]).resolve()
    if not place.is_relative_to(base):
        return "no"
    return f"<h1>{place.name}</h1>"  # expect: py/cross-site-scripting

# case: special tokens of a vocabulary
class Tokenizer:
    pad_token = "[PAD]"
    word_start_token: str = "begin_of_word"

    def __init__(self, bos_token="<s>", eos_token="</s>", mask_token="[MASK]", unk_token="<unk_0>", token="<|user|>"):
        self.sep_token = "[SEP99]"
        self.cls_token = "beginning-of-text"


load(token="NEWLINE", additional_special_tokens=["<extra_id_0>"], image_token="<image>", new_token="▁the")
GRAMMAR = {"token": "identifier", "start_token": "begin_of_text"}

# case: tokens of a grammar
def parse(token, stream):
    if token == "select" or token.lower() == "order by":
        return 1
    if stream.token in ("(", ")", "comma"):
        return 2
    return token == "end"

# case: a token that guards something
def check(token, headers):
    if token == "k8-72ab31cd":  # expect: py/hardcoded-credentials
        return 1
    if headers.get("X-Api-Key") == "orchard":  # expect: py/hardcoded-credentials
        return 2
    return token in ("r2d2-9f31ee", "c3po-77aa10")  # expect: py/hardcoded-credentials

# case: names of fields, headers and parameters
from enum import Enum

CONF_PASSWORD = "password"
HEADER_ACCESS_TOKEN = "X-Xet-Access-Token"
REFRESH_TOKEN = "refresh_token"
HEADER_LINK_AUTH_KEY = "orchard-auth"
ANSWER = {"refresh_token": "some_other_refresh_token"}
KINDS = {"api_key": "apiKey", "client_secret": "client_secret", "auth_token": "Authorization"}


class Scheme(Enum):
    API_KEY = "apiKey"
    ACCESS_TOKEN = "access-token"

# case: names of types, of grants and of variables
from pydantic import SecretStr

FIELDS = {"password": "str", "secret_key": "string", "access_token": "bearer", "token_type": "bearer", "credentials": "include"}
password: SecretStr = SecretStr("")
password = "${DB_PASSWORD}"
API_KEY = "OPENAI_API_KEY"
api_key = "not-needed"
secret = "[redacted]"
client_secret = "https://secrets.example.com/client"

# case: labels, messages and descriptions
FORM = {"password": "Confirm password", "passphrase": "Enter a phrase", "api_key": "Your key for the service"}
ERRORS = {"password": "Invalid user name or password", "pwd": "This is required"}

# case: a pass over data
first_pass = "collect"
STATES = {"pass": "green", "fail": "red"}

# case: a pass phrase, and passwords under ambiguous names
KEYRING = {"passphrase": "correct horse battery staple"}  # expect: py/hardcoded-credentials
ACCOUNT = {"user": "root", "pass": "t00r-at-home"}  # expect: py/hardcoded-credentials
user_token = "d41d8cd98f00b204"  # expect: py/hardcoded-credentials
app.config["SECRET_KEY"] = "secret_key"  # expect: py/hardcoded-credentials

# case: truth values and numbers of functions elsewhere
import filecmp
import fnmatch
import mimetypes
import os
import zipfile
from pathlib import Path

from flask import Flask, Response, request

from .store import is_allowed, pages

app = Flask(__name__)


@app.route("/is")
def tell():
    name = request.args["n"]
    place = os.path.realpath(os.path.join("/srv/pages", name))
    if os.path.commonpath(["/srv/pages", place]) != "/srv/pages":
        return "no"
    kinds = [fnmatch.fnmatch(name, "*.md"), is_allowed(name), pages.has_page(name), pages.contains(name)]
    files = f"{os.access(place, os.R_OK)} {filecmp.cmp(place, 'index')} {zipfile.is_zipfile(place)} {Path(place).is_symlink()}"
    with open(place) as file:
        words = len(file.read().split())
    if request.args.get("type"):
        return Response("<i>x</i>", content_type=mimetypes.guess_type(place)[0])
    return f"<p>{kinds[0]} {kinds[1]} {kinds[2]} {kinds[3]} {files} {words}</p>"

# case: a text that a function elsewhere returns
from flask import Flask, request

from .store import title_of

app = Flask(__name__)


@app.route("/is")
def tell():
    return f"<p>{title_of(request.args['n'])}</p>"  # expect: py/cross-site-scripting

# case: a WSGI application that hands a request on
class Middleware:
    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].startswith("/static"):
            return self.application(environ, start_response)
        return [environ["PATH_INFO"].encode()]  # expect: py/cross-site-scripting

# case: name of a table of the database between double quotes
import sqlite3
def purge(connection):
    for owner, name in connection.execute("select owner, object_name from dba_recyclebin"):
        connection.execute(f'purge table {owner}."{name}"')

# case: stored text between double quotes in a condition
import sqlite3
def count(connection):
    for (name,) in connection.execute("select name from users"):
        connection.execute(f'select count(*) from posts where author = "{name}"')  # expect: py/sql-injection

# case: compiled expression, or none
import os
import re
from flask import Flask, request
app = Flask("a")
WORDS = re.compile("[a-z]+")


@app.route("/")
def first(chosen=False):
    pattern = None
    if chosen:
        pattern = re.compile("[a-z]+")
    if pattern.search(request.args["q"]):
        os.system("ls " + pattern.sub("", request.args["q"]))  # expect: py/command-injection
    os.system("ls " + WORDS.sub("", request.args["q"]))  # expect: py/command-injection
    return {}

# case: file named by an archive's member, read and written
import os
import tarfile


def compare(path, folder):
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            with open(os.path.join(folder, member.name), "rb") as kept:
                print(len(kept.read()))
            with open(os.path.join(folder, member.name), "wb") as made:  # expect: py/archive-traversal
                made.write(archive.extractfile(member).read())
