# case: download with send_from_directory and with a join
import os
from flask import Flask, request, send_file, send_from_directory

app = Flask(__name__)
BASE = os.path.join(app.root_path, "media")


@app.route("/good/<path:name>")
def good(name):
    return send_from_directory(BASE, name)


@app.route("/bad/<path:name>")
def bad(name):
    return send_file(os.path.join(BASE, name))  # expect: py/path-traversal
# case: resolver with parents
from pathlib import Path
from fastapi import FastAPI, HTTPException

app = FastAPI()
BASE = Path("/srv/docs").resolve()


def locate(name: str) -> Path:
    candidate = (BASE / name).resolve()
    if BASE not in candidate.parents:
        raise HTTPException(status_code=403)
    return candidate


@app.get("/docs/{name:path}")
async def read(name: str):
    return {"text": locate(name).read_text()}


@app.get("/raw/{name:path}")
async def raw(name: str):
    return {"text": (BASE / name).read_text()}  # expect: py/path-traversal
# case: check behind a boolean helper
import os
from flask import abort, request, send_file

ROOT = os.path.realpath("/srv/share")


def is_inside(path):
    return os.path.commonprefix([os.path.realpath(path), ROOT]) == ROOT


def download():
    path = os.path.join(ROOT, request.args["f"])
    if not is_inside(path):
        abort(403)
    return send_file(path)  # expect: py/path-traversal
# case: check whose result nobody uses
import os
from flask import request, send_file

ROOT = os.path.realpath("/srv/share")


def is_inside(path):
    return os.path.realpath(path).startswith(ROOT + os.sep)


def download():
    path = os.path.join(ROOT, request.args["f"])
    is_inside(path)
    return send_file(path)  # expect: py/path-traversal
# case: check before decoding
import os
from urllib.parse import unquote
from flask import request


def show():
    name = request.args["name"]
    if ".." in name or "/" in name:
        return "no"
    return open(os.path.join("/srv/notes", unquote(name))).read()  # expect: py/path-traversal
# case: identifier in the name
import uuid
from flask import request


def avatar():
    ident = uuid.UUID(request.args["id"])
    with open(f"/srv/avatars/{ident}.png", "rb") as stream:
        return stream.read()
# case: Django upload
import os
import uuid
from django.conf import settings
from django.http import JsonResponse


def upload(request):
    sent = request.FILES["document"]
    with open(os.path.join(settings.MEDIA_ROOT, sent.name), "wb") as out:  # expect: py/path-traversal
        for chunk in sent.chunks():
            out.write(chunk)
    extension = os.path.splitext(os.path.basename(sent.name))[1]
    with open(os.path.join(settings.MEDIA_ROOT, uuid.uuid4().hex + extension), "wb") as out:
        out.write(sent.read())
    return JsonResponse({"ok": True})
# case: fixed catalogue and a listing
import os
from flask import abort, request

FOLDER = "/srv/reports"


def report():
    name = request.args["name"]
    if name not in os.listdir(FOLDER):
        abort(404)
    with open(os.path.join(FOLDER, name)) as stream:
        return {"text": stream.read()}
# case: language files by a short code
import json
import os
from flask import request


def texts():
    code = request.args.get("lang", "en")
    if not code.isalpha() or len(code) != 2:
        code = "en"
    with open(os.path.join("locales", code + ".json")) as stream:
        return json.load(stream)


def texts_again():
    code = request.args.get("lang", "en")[:2]
    with open("locales/" + code + ".json") as stream:
        return json.load(stream)
# case: delete below a base folder given to the class
import os
import shutil


class Store:
    def __init__(self, base):
        self.base = os.path.abspath(base)

    def _path(self, key):
        full = os.path.abspath(os.path.join(self.base, key))
        if not full.startswith(self.base + os.sep):
            raise KeyError(key)
        return full

    def remove(self, key):
        shutil.rmtree(self._path(key))

    def remove_fast(self, key):
        shutil.rmtree(os.path.join(self.base, key))  # expect: py/path-traversal
# case: zip slip and zip safe
import io
import os
import zipfile
from flask import request


def unpack():
    archive = zipfile.ZipFile(io.BytesIO(request.get_data()))
    archive.extractall("/srv/in")
    for info in archive.infolist():
        target = os.path.join("/srv/in", info.filename)
        with open(target, "wb") as out:  # expect: py/archive-traversal
            out.write(archive.read(info))
    for info in archive.infolist():
        target = os.path.realpath(os.path.join("/srv/in", info.filename))
        if not target.startswith("/srv/in/"):
            continue
        with open(target, "wb") as out:
            out.write(archive.read(info))
    return "ok"
# case: tar members picked by comprehension
import tarfile


def is_plain(member):
    return member.isfile() and not member.name.startswith("/") and ".." not in member.name


def unpack(path):
    with tarfile.open(path) as bundle:
        bundle.extractall("out", members=[m for m in bundle.getmembers() if is_plain(m)])


def unpack_all(path):
    with tarfile.open(path) as bundle:
        bundle.extractall("out", members=[m for m in bundle.getmembers() if m.isfile()])  # expect: py/archive-traversal
# case: unpack_archive
import shutil


def unpack(path):
    shutil.unpack_archive(path, "out", filter="data")
    shutil.unpack_archive(path, "out")  # expect: py/archive-traversal
    tar_filter = "fully_trusted"
    shutil.unpack_archive(path, "out", filter=tar_filter)  # expect: py/archive-traversal
# case: comment list built in a loop
from html import escape as h
from flask import Flask, request

app = Flask(__name__)


def row(author, text):
    return "<li><b>" + h(author) + "</b> " + h(text) + "</li>"


def loose_row(author, text):
    return "<li><b>" + author + "</b> " + h(text) + "</li>"


@app.route("/one", methods=["POST"])
def one():
    rows = []
    for text in request.form.getlist("text"):
        rows.append(row(request.form["author"], text))
    return "<ul>" + "".join(rows) + "</ul>"


@app.route("/two", methods=["POST"])
def two():
    rows = []
    for text in request.form.getlist("text"):
        rows.append(loose_row(request.form["author"], text))
    return "<ul>" + "".join(rows) + "</ul>"  # expect: py/cross-site-scripting
# case: redirect, status and header only
from flask import Flask, make_response, redirect, request

app = Flask(__name__)


@app.route("/go")
def go():
    answer = make_response("", 204)
    answer.headers["X-Name"] = request.args["name"].replace("\n", "")
    if request.args.get("home"):
        return redirect("/home")
    return answer
# case: error page repeats the address
from flask import Flask, request

app = Flask(__name__)


@app.errorhandler(404)
def missing(error):
    return f"<h1>Not found</h1><p>{request.url}</p>", 404  # expect: py/cross-site-scripting
# case: string template and a nonce
from string import Template
from flask import Flask, request
import html

app = Flask(__name__)
PAGE = Template("<h1>$title</h1>")


@app.route("/a")
def a():
    return PAGE.substitute(title=html.escape(request.args["t"]))


@app.route("/b")
def b():
    return PAGE.substitute(title=request.args["t"])  # expect: py/cross-site-scripting
# case: aiohttp text and html
from aiohttp import web
from html import escape

routes = web.RouteTableDef()


@routes.get("/plain")
async def plain(request):
    return web.Response(text="hello " + request.query.get("name", ""))


@routes.get("/page")
async def page(request):
    name = request.match_info.get("name", request.query.get("name", ""))
    return web.Response(text=f"<p>{name}</p>", content_type="text/html")  # expect: py/cross-site-scripting


@routes.get("/fine")
async def fine(request):
    return web.Response(text=f"<p>{escape(request.query['name'])}</p>", content_type="text/html")
# case: WSGI application
from html import escape
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    name = query.get("name", ["world"])[0]
    start_response("200 OK", [("Content-Type", "text/html")])
    return [f"<p>{name}</p>".encode()]  # expect: py/cross-site-scripting


def application_two(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    name = escape(query.get("name", ["world"])[0])
    start_response("200 OK", [("Content-Type", "text/html")])
    return [f"<p>{name}</p>".encode()]
# case: function that makes markup of its parameter
import html


def badge(label):
    return f'<span class="badge">{label}</span>'  # expect: py/cross-site-scripting


def safe_badge(label):
    return f'<span class="badge">{html.escape(label)}</span>'


def badge_number(count: int):
    return f"<span>{count}</span>"
# case: environment options in a mapping
from jinja2 import Environment, PackageLoader, select_autoescape

OPTIONS = {"loader": PackageLoader("shop"), "autoescape": select_autoescape()}
safe = Environment(**OPTIONS)
unsafe = Environment(**{"loader": PackageLoader("shop")})  # expect: py/template-without-escaping


def make(escape=True):
    return Environment(loader=PackageLoader("shop"), autoescape=escape)
