# case: variants of pages
import html
import json
import bleach
from flask import Flask, Markup, Response, jsonify, make_response, render_template, render_template_string, request
from markupsafe import escape

app = Flask(__name__)


@app.route("/a")
def a():
    return "<p>{}</p>".format(html.escape(request.args.get("q", "")))


@app.route("/b")
def b():
    q = request.args.get("q", "")
    return Response(f"<p>{q}</p>", mimetype="text/html")  # expect: py/cross-site-scripting


@app.route("/c")
def c():
    return bleach.clean(request.form["q"])


@app.route("/d")
def d():
    q = request.args.get("q", "").replace("<", "&lt;").replace(">", "&gt;")
    return "<p>" + q + "</p>"


@app.route("/e")
def e():
    return render_template("e.html", q=Markup(request.args["q"]))  # expect: py/cross-site-scripting


@app.route("/f")
def f():
    q = request.args.get("q")
    if q not in ("a", "b"):
        q = "a"
    return f"<p>{q}</p>"


@app.route("/g")
def g():
    return json.dumps({"q": request.args["q"]}), 200, {"Content-Type": "application/json"}


@app.route("/h")
def h():
    page = "<ul>"
    for key, value in request.args.items():
        page += f"<li>{escape(key)}: {escape(value)}</li>"
    return page + "</ul>"


@app.route("/i")
def i():
    page = "<ul>"
    for key, value in request.args.items():
        page += f"<li>{escape(key)}: {value}</li>"
    return page + "</ul>"  # expect: py/cross-site-scripting


@app.route("/j/<name>")
def j(name):
    return "<p>Hi %s</p>" % name  # expect: py/cross-site-scripting


@app.route("/k/<int:n>")
def k(n):
    return "<p>Hi %s</p>" % n


@app.route("/l")
def l():
    template = "<p>{{ q }}</p>"
    return render_template_string(template, q=request.args["q"])


@app.route("/m")
def m():
    template = "<p>%s</p>" % request.args["q"]
    return render_template_string(template)  # expect: py/cross-site-scripting


@app.route("/n")
def n():
    r = make_response(render_template("n.html"))
    r.set_cookie("q", request.args["q"])
    return r


@app.route("/o")
def o():
    r = make_response("<p>" + request.cookies.get("q", "") + "</p>")  # expect: py/cross-site-scripting
    r.headers["X-Frame-Options"] = "DENY"
    return r


@app.route("/p")
def p():
    q = request.args.get("q", "")
    if not q.isalnum():
        return "bad", 400
    return "<p>" + q + "</p>"


@app.route("/q")
def q_():
    return "<p>%d results</p>" % len(request.args.get("q", ""))


@app.route("/r")
def r():
    value = request.args.get("q", "")
    try:
        number = float(value)
    except ValueError:
        return f"<p>not a number: {value}</p>"  # expect: py/cross-site-scripting
    return f"<p>{number}</p>"


@app.route("/s")
def s():
    return str(escape(request.args["q"])) + "<br>"


@app.route("/t")
def t():
    return jsonify(request.args)


@app.route("/u")
def u():
    def clean(text):
        return html.escape(text, quote=True)
    names = [clean(x) for x in request.args.getlist("q")]
    return "<p>" + ", ".join(names) + "</p>"
# case: helpers that make pages
import html
from django.http import HttpResponse
from django.utils.safestring import mark_safe
from django.utils.html import format_html_join


class Page:
    def __init__(self, title):
        self.title = title
        self.rows = []

    def add(self, row):
        self.rows.append(row)

    def render(self):
        return "<h1>" + self.title + "</h1>" + "".join(self.rows)


def bad(request):
    page = Page("Results")
    page.add("<li>" + request.GET["q"] + "</li>")
    return HttpResponse(page.render())  # expect: py/cross-site-scripting


def good(request):
    page = Page("Results")
    page.add("<li>" + html.escape(request.GET["q"]) + "</li>")
    return HttpResponse(page.render())


def fine(request):
    items = format_html_join("", "<li>{}</li>", ((x,) for x in request.GET.getlist("q")))
    return HttpResponse(items)


def label():
    return mark_safe("<b>constant</b>")
# case: variants of loaders
import io
import json
import pickle
import yaml
import dill
import marshal
import ast
import shelve
import jsonpickle
from flask import request


def a():
    return json.loads(request.data)


def b():
    return ast.literal_eval(request.form["x"])


def c():
    return dill.loads(request.data)  # expect: py/unsafe-deserialization


def d():
    stream = io.BytesIO(request.files["f"].read())
    return pickle.load(stream)  # expect: py/unsafe-deserialization


def e():
    return yaml.load(request.data, Loader=yaml.FullLoader)  # expect: py/unsafe-deserialization


def f():
    return list(yaml.load_all(request.data, Loader=yaml.SafeLoader))


def g():
    return jsonpickle.decode(request.data)  # expect: py/unsafe-deserialization


def h(data: bytes):
    return pickle.loads(data)  # expect: py/unsafe-deserialization


def i():
    data = pickle.dumps({"a": 1})
    return pickle.loads(data)


def j(obj):
    return pickle.loads(pickle.dumps(obj))


class SafeUnpickler(pickle.Unpickler):
    ALLOWED = {("builtins", "set")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(name)
        return super().find_class(module, name)


def k(data):
    return SafeUnpickler(io.BytesIO(data)).load()


def l(path):
    with open(path) as stream:
        return yaml.safe_load(stream)


def m(path):
    with open(path, "rb") as stream:
        return marshal.load(stream)  # expect: py/unsafe-deserialization


def n():
    loader = yaml.SafeLoader
    return yaml.load(request.data, Loader=loader), yaml.load(request.data, yaml.CSafeLoader)


def o():
    return pickle.loads(open("model.pkl", "rb").read())
# case: variants of modes
import os
import stat
import subprocess
import tempfile
from pathlib import Path


def a(path):
    os.chmod(path, 0o600)
    os.chmod(path, 0o666)  # expect: py/weak-file-permissions
    os.chmod(path, 0o777)  # expect: py/weak-file-permissions
    os.chmod(path, mode=0o644)  # expect: py/weak-file-permissions
    os.chmod(path, stat.S_IRWXU)
    os.chmod(path, stat.S_IRWXU | stat.S_IRWXO)  # expect: py/weak-file-permissions


PRIVATE = 0o600
OPEN = 0o777


def b(path):
    os.chmod(path, PRIVATE)
    os.chmod(path, OPEN)  # expect: py/weak-file-permissions
    Path(path).chmod(PRIVATE)
    Path(path).touch(mode=0o600)
    Path(path).touch(mode=0o666)  # expect: py/weak-file-permissions
    Path(path).mkdir(mode=0o700, parents=True)
    Path(path).mkdir(mode=0o777)  # expect: py/weak-file-permissions


def c(path, data):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(fd, data)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o666)  # expect: py/weak-file-permissions
    fd = os.open(path, os.O_RDONLY)
    os.mkdir(path, 0o700)
    os.mkdir(path, 0o777)  # expect: py/weak-file-permissions


def d(path):
    subprocess.run(["chmod", "777", path])  # expect: py/weak-file-permissions
    subprocess.run(["chmod", "600", path])
    os.system("chmod 666 /etc/app.conf")  # expect: py/weak-file-permissions
    os.system("chmod -R go+w /etc/app")  # expect: py/weak-file-permissions
    os.system("chmod u+x run.sh")
    os.system("chmod +x run.sh")


def e(path, text):
    previous = os.umask(0o177)
    with open(path, "w") as out:
        out.write(text)
    os.umask(previous)
    os.umask(0o000)  # expect: py/weak-file-permissions


def f(text):
    def opener(path, flags):
        return os.open(path, flags, 0o600)
    with open("secret.key", "w", opener=opener) as out:
        out.write(text)


def g(public):
    mode = 0o644 if public else 0o600
    os.chmod("index.html", mode)


def h(path):
    current = os.stat(path).st_mode
    os.chmod(path, current & ~stat.S_IWOTH & ~stat.S_IRGRP)
    os.chmod(path, current | stat.S_IXUSR)
    os.chmod(path, current | 0o002)  # expect: py/weak-file-permissions
# case: variants of credentials
import getpass
import os
import smtplib
import boto3
import paramiko
import redis

DB_PASSWORD = os.getenv("DB_PASSWORD")
DEFAULT_TIMEOUT = "30"
SECRET_NAME = "prod/db"
PASSWORD_MIN_LENGTH = 8
password_prompt = "Password: "
db_password = "Sup3rS3cret"  # expect: py/hardcoded-credentials
aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY"  # expect: py/hardcoded-credentials
config = {"user": "root", "password": "toor"}  # expect: py/hardcoded-credentials
settings = {"user": "root", "password": os.environ["PW"]}
placeholder = {"password": "<your password>"}


def a():
    ssh = paramiko.SSHClient()
    ssh.connect("h", username="root", password="hunter2!")  # expect: py/hardcoded-credentials
    ssh.connect("h", username="root", password=getpass.getpass("Password: "))
    ssh.connect("h", username="root", key_filename="/home/x/.ssh/id_rsa")


def b():
    server = smtplib.SMTP("mail")
    server.login("me@example.com", "mailpass1")  # expect: py/hardcoded-credentials
    server.login(os.environ["U"], os.environ["P"])


def c():
    boto3.client("s3", aws_access_key_id=os.environ["ID"], aws_secret_access_key=os.environ["KEY"])
    boto3.client("s3", aws_access_key_id="AKIAIOSFODNN7", aws_secret_access_key="wJalrXUtnFEMI")  # expect: py/hardcoded-credentials
    return redis.Redis(host="h", password="redispw")  # expect: py/hardcoded-credentials


def d(username, password):
    if username == "admin" and password == "admin_pass":  # expect: py/hardcoded-credentials
        return True
    return password == os.environ.get("ADMIN_PASSWORD")


def e(token):
    if token == "":
        return None
    if token == "abc123def456":  # expect: py/hardcoded-credentials
        return True
    return token in load_tokens()


def f(password="changeme123"):  # expect: py/hardcoded-credentials
    return password


def g():
    password = input("Password: ")
    confirm = getpass.getpass()
    return password == confirm


def h():
    secret = os.environ.get("SECRET")
    if not secret:
        raise RuntimeError("SECRET is not set")
    return secret


class Config:
    SECRET_KEY = "a-very-secret-value"  # expect: py/hardcoded-credentials
    SQLALCHEMY_DATABASE_URI = os.environ.get("DATABASE_URL", "sqlite:///app.db")
    WTF_CSRF_SECRET_KEY = os.environ["CSRF"]


def i():
    return os.environ.get("DB_PASSWORD", "")
# case: variants of logs
import logging
import re
from flask import Flask, request

app = Flask(__name__)
logger = logging.getLogger(__name__)


def clean(value):
    return re.sub(r"[\r\n]", "", value)


@app.route("/a")
def a():
    user = request.args.get("user", "")
    app.logger.info("user " + user)  # expect: py/log-injection
    app.logger.info("user " + clean(user))
    app.logger.info("user %s", user.encode("unicode_escape").decode())
    logger.warning("user %s from %s", clean(user), request.remote_addr)
    logger.error("user {}".format(repr(user)))
    logger.info(f"user {user.strip()}")  # expect: py/log-injection
    logger.info("login failed")
    try:
        logger.info("id %d", int(user))
    except ValueError:
        logger.exception("bad id")
    if re.fullmatch(r"[a-z]+", user):
        logger.info("user " + user)
    safe = user.translate(str.maketrans("", "", "\r\n"))
    logger.info("user %s", safe)
    return ""
# case: variants of patterns
import re
from flask import request


def a():
    word = request.args["w"]
    re.search(word, "text")  # expect: py/regex-injection
    re.search(re.escape(word), "text")
    re.search("^" + re.escape(word) + "$", "text")
    re.compile("(" + "|".join(map(re.escape, request.args.getlist("w"))) + ")")
    re.compile("(" + "|".join(request.args.getlist("w")) + ")")  # expect: py/regex-injection
    re.sub(r"\d", word, "text")
    if not word.isalnum():
        return None
    return re.search(word, "text")


def b():
    pattern = request.args["p"]
    if pattern not in ("a+", "b+"):
        raise ValueError
    return re.findall(pattern, "text")


def c():
    kind = request.args["k"]
    pattern = r"\d+" if kind == "digits" else r"\w+"
    return re.findall(pattern, request.args["text"])
# case: variants of hosts
import re
from urllib.parse import urlparse
from flask import redirect, request

ALLOWED_HOSTS = ["example.com", "api.example.com"]


def a():
    url = request.args["url"]
    host = urlparse(url).hostname
    if host is None or host not in ALLOWED_HOSTS:
        return "no"
    return redirect(url)


def b():
    url = request.args["url"]
    if not url.startswith("https://example.com"):  # expect: py/incomplete-host-check
        return "no"
    return redirect(url)


def c():
    url = request.args["url"]
    if any(host in url for host in ALLOWED_HOSTS):  # expect: py/incomplete-host-check
        return redirect(url)
    return "no"


def d():
    host = urlparse(request.args["url"]).netloc.split(":")[0]
    if host == "example.com" or host.endswith(".example.com"):
        return "ok"
    return "no"


def e():
    host = urlparse(request.args["url"]).hostname
    if host.endswith(("example.com", "example.org")):  # expect: py/incomplete-host-check
        return "ok"
    return "no"


def f(url):
    return re.match(r"^https://[\w.-]+\.example\.com/", url) is not None


def g(url):
    return bool(re.match(r"^https://[\w.-]*example.com", url))  # expect: py/incomplete-host-check


def h(url):
    parts = urlparse(url)
    return parts.scheme == "https" and parts.netloc in {"example.com"}


def i(url):
    return url.split("/")[2] == "example.com"


def j(url):
    return re.search(r"^https?://(www\.)?example\.com$", url)
