# case: markup that became plain text no longer escapes
from flask import Flask, request
from markupsafe import Markup, escape

app = Flask("a")


@app.route("/str")
def as_str():
    return "<p>" + str(escape(request.args["x"])) + " " + request.args["y"] + "</p>"  # expect: py/cross-site-scripting


@app.route("/first")
def first():
    return str(escape(request.args["x"])) + request.args["y"]  # expect: py/cross-site-scripting


@app.route("/formatted")
def formatted():
    return f"{escape(request.args['x'])}" + request.args["y"]  # expect: py/cross-site-scripting


@app.route("/percent")
def percent():
    return "<p>%s</p>" % escape(request.args["x"]) + request.args["y"]  # expect: py/cross-site-scripting


@app.route("/joined")
def joined():
    return ", ".join([escape(request.args["x"]), "a"]) + request.args["y"]  # expect: py/cross-site-scripting


@app.route("/markup")
def markup():
    return "<p>" + escape(request.args["x"]) + " " + request.args["y"] + "</p>"


@app.route("/template")
def template():
    return Markup("<p>%s</p>") % request.args["x"] + request.args["y"]


@app.route("/joined-markup")
def joined_markup():
    return Markup(", ").join([request.args["x"], "a"]) + request.args["y"]


@app.route("/both")
def both():
    return "<p>" + str(escape(request.args["x"])) + str(escape(request.args["y"])) + "</p>"

# case: safe strings of Django do not escape what is added to them
from django.http import HttpResponse
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import mark_safe


def added(request):
    return HttpResponse("<p>" + escape(request.GET["x"]) + ": " + request.GET["y"] + "</p>")  # expect: py/cross-site-scripting


def conditional(request):
    return HttpResponse(conditional_escape(request.GET["x"]) + request.GET["y"])  # expect: py/cross-site-scripting


def declared(request):
    return HttpResponse(mark_safe("<b>Search</b> ") + request.GET["y"])  # expect: py/cross-site-scripting


def percent(request):
    return HttpResponse(mark_safe("<b>%s</b>") % request.GET["y"])  # expect: py/cross-site-scripting


def after_format(request):
    return HttpResponse(format_html("<b>{}</b>", request.GET["x"]) + request.GET["y"])  # expect: py/cross-site-scripting


def both(request):
    return HttpResponse("<p>" + escape(request.GET["x"]) + ": " + escape(request.GET["y"]) + "</p>")


def format_all(request):
    return HttpResponse(format_html("<b>{}</b>: {}", request.GET["x"], request.GET["y"]))


def format_twice(request):
    return HttpResponse(format_html("<b>{}</b>", request.GET["x"]) + format_html("<i>{}</i>", request.GET["y"]))

# case: patterns of addresses, made of each known host
import re

HOSTS = ["shop.example.com", "pay.example.com"]
PREFIXES = tuple(f"https://{host}/" for host in HOSTS)


def open_pattern(link):
    return any(re.match(f"https://{host}", link) for host in HOSTS)  # expect: py/incomplete-host-check


def unescaped(link):
    return any(re.match(f"https://{host}/", link) for host in HOSTS)  # expect: py/incomplete-host-check


def open_end(link):
    return any(re.match(rf"https://{re.escape(host)}", link) for host in HOSTS)  # expect: py/incomplete-host-check


def added(link):
    for host in HOSTS:
        if re.match("https://" + host, link):  # expect: py/incomplete-host-check
            return True
    return False


def settings(link, app):
    return any(re.match(f"https://{host}", link) for host in app.config["ALLOWED_HOSTS"])  # expect: py/incomplete-host-check


def by_name(link, app):
    host = app.config["ALLOWED_HOST"]
    return bool(re.match(string=link, pattern=f"https://{host}"))  # expect: py/incomplete-host-check


def closed_by_name(link, app):
    host = app.config["ALLOWED_HOST"]
    return bool(re.match(pattern=f"https://{host}/", string=link))


def closed(link):
    return any(re.match(rf"https://{re.escape(host)}/", link) for host in HOSTS)


def closed_by_group(link):
    return any(re.match(rf"https://{re.escape(host)}(/|$)", link) for host in HOSTS)


def whole(link):
    return any(re.fullmatch(rf"https://{re.escape(host)}(/.*)?", link) for host in HOSTS)


def closed_settings(link, app):
    return any(re.match(rf"https://{re.escape(host)}/", link) for host in app.config["ALLOWED_HOSTS"])


def prefixes(link):
    return link.startswith(PREFIXES)

# case: a known text in which a part is replaced
import sqlite3

from flask import request

QUERY = "SELECT * FROM rooms WHERE name = 'NAME'"
SORTED = "SELECT * FROM rooms ORDER BY COLUMN"


def replaced():
    cursor = sqlite3.connect("rooms.db").cursor()
    cursor.execute(QUERY.replace("NAME", request.args["name"]))  # expect: py/sql-injection
    return cursor.fetchall()


def replaced_by_known_text():
    cursor = sqlite3.connect("rooms.db").cursor()
    cursor.execute(SORTED.replace("COLUMN", "size" if request.args.get("by_size") else "name"))
    return cursor.fetchall()


# case: credentials as bytes
import hmac
import os
from zipfile import ZipFile

import jwt


def sign(claims):
    return jwt.encode(claims, "secret-of-the-hall".encode(), algorithm="HS256")  # expect: py/hardcoded-credentials


def unpack(path):
    with ZipFile(path) as archive:
        archive.setpassword(pwd="st-marys-exams".encode("utf-8"))  # expect: py/hardcoded-credentials


def with_default(archive):
    archive.read("a.txt", pwd=os.environ.get("ZIP_PASSWORD", "school").encode())  # expect: py/hardcoded-credentials


def with_alternative(archive):
    archive.read("a.txt", pwd=(os.environ.get("ZIP_PASSWORD") or "letmein").encode())  # expect: py/hardcoded-credentials


def compared(token):
    return hmac.compare_digest(token.encode(), "hunter2-forever".encode())  # expect: py/hardcoded-credentials


def from_environment(claims):
    return jwt.encode(claims, os.environ["JWT_KEY"].encode(), algorithm="HS256")


def empty_default(archive):
    archive.read("a.txt", pwd=os.environ.get("ZIP_PASSWORD", "").encode())


def other_bytes(connection, body):
    connection.send("GET / HTTP/1.0\r\n\r\n".encode())
    return hmac.compare_digest(body.encode(), "yes".encode("ascii") + body.encode())

# case: whatever is passed as a password or key is one
import os

import jwt
from itsdangerous import URLSafeSerializer
from requests.auth import HTTPBasicAuth

from settings import signing_key


def account():
    return HTTPBasicAuth(username="keeper", password="password")  # expect: py/hardcoded-credentials


def named_like_a_setting(claims):
    return jwt.encode(claims, "SECRET_KEY", algorithm="HS256")  # expect: py/hardcoded-credentials


def short(claims):
    return jwt.encode(claims, key="key", algorithm="HS256")  # expect: py/hardcoded-credentials


def decoded(token):
    return jwt.decode(token, "reset-password", algorithms=["HS256"])  # expect: py/hardcoded-credentials


def phrase(claims):
    return jwt.encode(claims, "the secret of the hall", algorithm="HS256")  # expect: py/hardcoded-credentials


def serializer():
    return URLSafeSerializer(secret_key="abc")  # expect: py/hardcoded-credentials


def placeholder(claims):
    return jwt.encode(claims, "your-secret-key", algorithm="HS256")


def public_key(token):
    return jwt.decode(token, "-----BEGIN PUBLIC KEY-----\nMFwwDQYJ\n-----END PUBLIC KEY-----", algorithms=["RS256"])


def unverified(token):
    return jwt.decode(token, "", options={"verify_signature": False})


def from_settings(claims):
    return jwt.encode(claims, os.environ["SECRET_KEY"], algorithm="HS256") + jwt.encode(claims, signing_key)


def asked():
    return HTTPBasicAuth(username="keeper", password=os.environ["KEEPER_PASSWORD"])

# case: the path of a method is what it is called on
import os
from pathlib import Path

BASE = Path("/srv/hall")


class Store:
    def __init__(self, root):
        self.root = Path(root)

    def prepare(self, month: int):
        folder = self.root / f"payroll-{month}"
        folder.mkdir(mode=0o750)  # expect: py/weak-file-permissions

    def begin(self, month: int):
        target = self.root / "payroll" / month
        target.mkdir(0o755, parents=True)  # expect: py/weak-file-permissions

    def joined(self, month: int):
        target = os.path.join(self.root, "backup", month)
        os.mkdir(target, 0o755)  # expect: py/weak-file-permissions

    def several(self):
        for name in ("payroll", "wages"):
            (BASE / name).mkdir(0o755)  # expect: py/weak-file-permissions

    def created(self):
        place = self.root.joinpath("session.db")
        place.touch(mode=0o640)  # expect: py/weak-file-permissions

    def neutral(self, month: int):
        folder = self.root / f"reports-{month}"
        folder.mkdir(mode=0o750)

    def page(self, month: int):
        folder = self.root / "static" / month
        folder.mkdir(mode=0o755)

    def private(self, month: int):
        folder = self.root / f"payroll-{month}"
        folder.mkdir(mode=0o700)

# case: bytes in a log are shown with their line breaks escaped
import base64
import logging

from flask import request

log = logging.getLogger("a")


def turned(text):
    log.warning(f"Invalid azimuth: {text.encode()}")
    log.warning("Invalid azimuth: %s", text.encode("utf-8"))
    log.warning("Invalid azimuth: {}".format(text.encode()[:40]))
    log.warning("Invalid azimuth: " + str(text.encode()))
    log.warning(request.args["a"].encode())
    raw = b"azimuth " + request.args["a"].encode().strip()
    log.warning("raw %s", raw)


def received():
    log.info(f"body {request.get_data()}")
    log.info("body %s", request.data)
    log.info("token %s", base64.b64decode(request.args["token"]))


def decoded():
    text = request.args["a"]
    log.warning(f"azimuth {text.encode().decode()}")  # expect: py/log-injection
    log.warning("azimuth %s", str(text.encode(), "utf-8"))  # expect: py/log-injection
    log.warning("body %s", request.get_data(as_text=True))  # expect: py/log-injection
    log.warning("body %s", request.data.decode())  # expect: py/log-injection
    log.warning("token %s", base64.b64decode(request.args["token"]).decode())  # expect: py/log-injection
    log.warning(text)  # expect: py/log-injection

# case: escaping that is switched on after an engine is made
import jinja2
from jinja2 import Environment, FileSystemLoader, select_autoescape

shared = Environment(loader=FileSystemLoader("pages"))
shared.autoescape = True


class Mailer:
    def __init__(self):
        self.env = jinja2.Environment(loader=jinja2.FileSystemLoader("mails"))
        self.env.autoescape = select_autoescape(["html"])


def page(name):
    env = jinja2.Environment(loader=jinja2.FileSystemLoader("pages"))
    env.filters["upper"] = str.upper
    env.autoescape = True
    return env.get_template("page.html").render(name=name)


def other(name):
    env = jinja2.Environment(loader=jinja2.FileSystemLoader("pages"))  # expect: py/template-without-escaping
    env.trim_blocks = True
    return env.get_template("page.html").render(name=name)


def another(name):
    env = jinja2.Environment(loader=jinja2.FileSystemLoader("pages"))  # expect: py/template-without-escaping
    second = jinja2.Environment(loader=jinja2.FileSystemLoader("mails"))
    second.autoescape = True
    return env.get_template("page.html").render(name=name)

# case: filter that asks whether its template escapes
from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter(needs_autoescape=True)
def initial(text, autoescape=True):
    shown = conditional_escape if autoescape else (lambda each: each)
    return mark_safe("<b>%s</b>%s" % (shown(text[0]), shown(text[1:])))


@register.filter(needs_autoescape=True)
def initial_only(text, autoescape=True):
    shown = conditional_escape if autoescape else (lambda each: each)
    return mark_safe("<b>%s</b>%s" % (shown(text[0]), text[1:]))  # expect: py/cross-site-scripting

# case: a function that calls itself returns what its other branches do
from html import escape


def tree(value):
    if isinstance(value, list):
        return "<ol>" + "".join(f"<li>{tree(child)}</li>" for child in value) + "</ol>"
    return escape(str(value))


def thread(comment, depth=0):
    answers = "".join(thread(answer, depth + 1) for answer in comment.get("answers", ()))
    return f"<p>{escape(comment['text'])}</p>{answers}"


def raw_tree(value):
    if isinstance(value, list):
        return "<ol>" + "".join(f"<li>{raw_tree(child)}</li>" for child in value) + "</ol>"  # expect: py/cross-site-scripting
    return str(value)


def indented(text, width):
    return "<pre>" + " " * (width - len(text)) + escape(text) + "</pre>"

# case: markup that leaves a function by another way than its result
import xml.sax.saxutils
from email.message import EmailMessage
from html import escape

from markupsafe import Markup


def streamed(orders):
    yield "<table>"
    for order in orders:
        yield f"<tr><td>{order.remark}</td></tr>"  # expect: py/cross-site-scripting
    yield "</table>"


def streamed_numbers(orders):
    total = 0
    for order in orders:
        total += order.pieces
        yield f"<tr><td>{order.pieces}</td><td>{escape(order.remark)}</td></tr>"
    yield f"<tr><th>{total}</th></tr>"


def written(out, title):
    out.write(f"<h1>{title}</h1>")  # expect: py/cross-site-scripting
    out.write(f"<h1>{escape(title)}</h1>")
    out.write(f"{title}\n")


class Board:
    def add(self, title):
        self.rows.append(f"<li>{title}</li>")  # expect: py/cross-site-scripting
        self.rows.append(f"<li>{xml.sax.saxutils.escape(title)}</li>")
        self.rows.append(f"<li>{self.encode(title)}</li>")


def collected(title):
    rows = []
    rows.append(f"<li>{title}</li>")
    return len(rows)


def invitation(sender, link):
    message = EmailMessage()
    message.set_content(f"<b>{sender}</b>")
    message.add_alternative(f"<b>{sender}</b>", subtype="html")  # expect: py/cross-site-scripting
    message.add_alternative(f'<b>{escape(sender)}</b><a href="{escape(link)}">Accept</a>', subtype="html")
    return message


def frame(content: Markup, title):
    return f"<title>{escape(title)}</title><body>{content}</body>"


# case: parameters that are no text of others
from html import escape


def field(name, rows, value):
    return f'<textarea name="{name}" rows="{rows}">{escape(value)}</textarea>'


def element(tag, text):
    return f"<p><{tag}>{escape(text)}</{tag}></p>"


def link(base, episode):
    address = f"{base}/episodes/{episode['number']}"
    return f"<p>{escape(episode['title'])}</p><pre>{address}</pre>"


def picture(caption):
    return f'<img alt="{caption}">'  # expect: py/cross-site-scripting


def colour(label):
    return f'<span style="color: {label["color"]}">{escape(label["name"])}</span>'  # expect: py/cross-site-scripting


def count(number, text):
    return f"<b>{number}</b> of <i>{text}</i>"  # expect: py/cross-site-scripting


def page(number, width):
    return f"<b>{number}</b><p>{width}</p>"


# case: a method without its class
from html import escape


def title(self):
    return f"<h1>{self.title}</h1>"  # expect: py/cross-site-scripting


def escaped(self):
    return f"<h1>{escape(self.title)}</h1>"


def lines(self):
    return "\n".join(f"<li>{line}</li>" for line in self.lines)  # expect: py/cross-site-scripting


# case: a check of one part of a text is none of another
def line(text):
    rows = []
    for each in text.splitlines():
        mark, rest = each[:1], each[1:]
        if mark == "+":
            rows.append(f"<ins>{rest}</ins>")
    return "".join(rows)  # expect: py/cross-site-scripting


def word(text):
    mark = text[:4]
    if mark in ("good", "poor"):
        return f"<b>{mark}</b>"
    return ""


# case: a replacement beside text that stays
import re
from html import escape


def mentions(text):
    return re.sub(r"@(\w+)", lambda found: f"<b>{found.group(1)}</b>", text)  # expect: py/cross-site-scripting


def escaped_mentions(text):
    return re.sub(r"@(\w+)", lambda found: f"<b>{found.group(1)}</b>", escape(text))


# case: templates that a function is told to fill
from jinja2 import Template


def fill(design, name):
    return Template(design, autoescape=True).render(name=name)


def made(title, name):
    return Template(f"<h1>{title}</h1>", autoescape=True).render(name=name)  # expect: py/cross-site-scripting


# case: text behind a number
from flask import Flask, request

app = Flask(__name__)


@app.route("/upload", methods=["POST"])
def upload():
    return str(len(request.form.get("name", ""))) + request.form.get("name", "")  # expect: py/cross-site-scripting


@app.route("/first")
def first():
    return str(1) + request.form.get("name", "")  # expect: py/cross-site-scripting


@app.route("/formatted")
def formatted():
    return f"{len(request.form)}" + request.form.get("name", "")  # expect: py/cross-site-scripting


@app.route("/count")
def count():
    return str(len(request.form.get("name", "")) + 1)
