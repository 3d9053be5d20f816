# case: message queue consumer
import json
import pickle
import pika


def on_message(channel, method, properties, body):
    if properties.content_type == "application/json":
        return json.loads(body)
    return pickle.loads(body)  # expect: py/unsafe-deserialization
# case: session from a cookie, signed and not
import base64
import pickle
from flask import request
from itsdangerous import URLSafeSerializer
from settings import KEY

signer = URLSafeSerializer(KEY)


def good():
    return signer.loads(request.cookies["session"])


def bad():
    raw = base64.urlsafe_b64decode(request.cookies["session"].encode())
    return pickle.loads(raw)  # expect: py/unsafe-deserialization
# case: yaml through a helper with a default loader
import yaml
from fastapi import FastAPI, Request

app = FastAPI()


def parse(text, loader=yaml.SafeLoader):
    return yaml.load(text, Loader=loader)


def parse_loose(text, loader=yaml.Loader):
    return yaml.load(text, Loader=loader)  # expect: py/unsafe-deserialization


@app.post("/a")
async def a(request: Request):
    return parse(await request.body())


@app.post("/b")
async def b(request: Request):
    return parse_loose(await request.body())
# case: cache in the program's own folder
import os
import pickle

CACHE = os.path.join(os.path.expanduser("~"), ".cache", "tool.pickle")


def load():
    if os.path.exists(CACHE):
        with open(CACHE, "rb") as stream:
            return pickle.load(stream)
    return {}
# case: state file named by the user
import pickle
import sys


def load(path):
    with open(path, "rb") as stream:
        return pickle.load(stream)  # expect: py/unsafe-deserialization


if __name__ == "__main__":
    print(load(sys.argv[1]))
# case: model downloaded
import io
import joblib
import requests
import torch


def fetch(url):
    data = requests.get(url, timeout=9).content
    weights = torch.load(io.BytesIO(data), weights_only=True)
    model = joblib.load(io.BytesIO(data))  # expect: py/unsafe-deserialization
    return weights, model
# case: marshal and shelve
import marshal
import shelve
from flask import request


def one():
    return marshal.loads(request.data)  # expect: py/unsafe-deserialization


def two():
    with shelve.open("/srv/" + request.args["db"]) as shelf:  # expect: py/unsafe-deserialization
        return dict(shelf)


def three():
    with shelve.open("/srv/state") as shelf:
        return shelf.get(request.args["key"])
# case: digest compared by hand in a helper
import hashlib
import hmac
import os
import pickle
from flask import abort, request

SECRET = os.environ["SIGNING"].encode()


def verified(blob, signature):
    good = hmac.new(SECRET, blob, hashlib.sha256).digest()
    return hmac.compare_digest(good, signature)


def restore():
    blob = request.get_data()
    if not verified(blob, bytes.fromhex(request.headers["X-Mac"])):
        abort(400)
    return pickle.loads(blob)
# case: permissions by constants
import os
import stat


def save(path, data):
    with open(path, "wb") as out:
        out.write(data)
    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)


def share(path):
    os.chmod(path, stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)  # expect: py/weak-file-permissions


def add_write(path):
    mode = os.stat(path).st_mode
    os.chmod(path, mode | stat.S_IWOTH)  # expect: py/weak-file-permissions


def make_executable(path):
    os.chmod(path, 0o755)
# case: key file made with care and without
import os
from pathlib import Path


def careful(key):
    descriptor = os.open("server.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(key)


def careless(key):
    descriptor = os.open("server.key", os.O_WRONLY | os.O_CREAT, 0o644)  # expect: py/weak-file-permissions
    with os.fdopen(descriptor, "wb") as out:
        out.write(key)


def folder():
    os.makedirs("/var/lib/tool", mode=0o777, exist_ok=True)  # expect: py/weak-file-permissions
    os.makedirs("/var/lib/tool", mode=0o700, exist_ok=True)
    Path("/run/tool.sock").chmod(0o666)  # expect: py/weak-file-permissions
    Path("/run/tool.sock").chmod(0o600)
# case: mask put back
import os


def write(path, text):
    old = os.umask(0o077)
    try:
        with open(path, "w") as out:
            out.write(text)
    finally:
        os.umask(old)


def daemonize():
    os.umask(0)  # expect: py/weak-file-permissions
# case: temporary file opened to all
import os
import tempfile


def stage(data):
    with tempfile.NamedTemporaryFile(delete=False) as out:
        out.write(data)
    os.chmod(out.name, 0o666)  # expect: py/weak-file-permissions
    return out.name


def stage_privately(data):
    handle, name = tempfile.mkstemp()
    os.fchmod(handle, 0o600)
    os.write(handle, data)
    return name
# case: credentials in several shapes
import os
import psycopg2
import pymysql
import requests
from sqlalchemy import create_engine

API_KEY = "9f8a7b6c5d4e3f2a1b0c"  # expect: py/hardcoded-credentials
PASSWORD_FIELD = "password"
TOKEN_URL = "https://example.com/token"
engine = create_engine("postgresql://app:hunter2@db/shop")  # expect: py/hardcoded-credentials
other = create_engine(os.environ["DATABASE_URL"])
third = create_engine(f"postgresql://app:{os.environ['PW']}@db/shop")


def connect():
    a = pymysql.connect(host="db", user="app", password="letmein", database="shop")  # expect: py/hardcoded-credentials
    b = psycopg2.connect("dbname=shop user=app password=letmein")  # expect: py/hardcoded-credentials
    c = psycopg2.connect(dsn=os.environ["DSN"])
    d = pymysql.connect(host="db", user="app", password=os.environ["PW"], database="shop")
    e = pymysql.connect(host="db", user="app", password="", database="shop")
    return a, b, c, d, e


def call():
    one = requests.get("https://api.example.com", auth=("admin", "s3cret!"))  # expect: py/hardcoded-credentials
    two = requests.get("https://api.example.com", auth=("admin", os.environ["API_PASSWORD"]))
    three = requests.get("https://api.example.com", headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
    return one, two, three
# case: secrets for tokens
import os
import jwt
from flask import Flask

app = Flask(__name__)
app.secret_key = "dev-secret-key"  # expect: py/hardcoded-credentials
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["JWT_HEADER"] = "Authorization"


def issue(user):
    return jwt.encode({"sub": user}, "jwt-secret", algorithm="HS256")  # expect: py/hardcoded-credentials


def issue_well(user):
    return jwt.encode({"sub": user}, os.environ["JWT_SECRET"], algorithm="HS256")
# case: login against a table and against a hash
import hashlib
import hmac
import os

USERS = {"admin": "admin123"}


def login(username, password):
    return USERS.get(username) == password  # expect: py/hardcoded-credentials


def login_hash(password):
    digest = hashlib.sha256(password.encode()).hexdigest()
    return digest == "240be518fabd2724ddb6f04eeb1da5967448d7e831c08c8fa822809f74c720a9"  # expect: py/hardcoded-credentials


def login_well(password):
    return hmac.compare_digest(password, os.environ["ADMIN_PASSWORD"])


def check_form(password, again):
    if password == "" or password != again:
        return "Passwords differ"
    return None
# case: allowed origins
from urllib.parse import urlsplit
from flask import abort, redirect, request


def one():
    origin = request.headers.get("Origin", "")
    if not origin.endswith("example.org"):  # expect: py/incomplete-host-check
        abort(403)
    return "ok"


def two():
    origin = request.headers.get("Origin", "")
    if origin != "https://example.org":
        abort(403)
    return "ok"


def three():
    url = request.args["url"]
    if urlsplit(url).hostname in ("example.org", "www.example.org"):
        return redirect(url)
    return abort(400)


def four():
    host = urlsplit(request.args["url"]).hostname or ""
    if host.split(".")[-2:] == ["example", "org"]:
        return "ok"
    if host.startswith("example.org"):  # expect: py/incomplete-host-check
        return "odd"
    return "no"


def five():
    url = request.args["url"]
    return any(url.startswith(prefix) for prefix in ("https://example.org/", "https://docs.example.org/"))
# case: patterns for hosts
import re
from flask import redirect, request

GOOD = re.compile(r"\Ahttps://(?:www\.)?example\.org(?:/.*)?\Z")
BAD = re.compile(r"https?://(?:\w+\.)?example\.org")


def one():
    target = request.args["to"]
    return redirect(target) if GOOD.match(target) else "no"


def two():
    target = request.args["to"]
    return redirect(target) if BAD.match(target) else "no"  # expect: py/incomplete-host-check
# case: names of files and mail addresses are no hosts
def sort(names, address):
    found = [name for name in names if name.endswith(".tar.gz") or "readme.txt" in name]
    return found, address.endswith("@example.org")
# case: logging in a service
import logging
from fastapi import FastAPI

app = FastAPI()
logger = logging.getLogger("shop")


@app.get("/buy/{item}")
def buy(item: str, amount: int):
    logger.info("buying %s x %d", item, amount)  # expect: py/log-injection
    logger.info("amount %d", amount)
    cleaned = item.replace("\n", "\\n").replace("\r", "\\r")
    logger.info("buying %s", cleaned)
    logger.debug(f"item={item.encode('unicode_escape')}")
    logger.error("failed", extra={"item": item})
    return {}
# case: first line only
import logging
from flask import request


def visit():
    referrer = request.headers.get("Referer", "-")
    logging.info("from %s", referrer.splitlines()[0])
    logging.info("from %s", " ".join(referrer.split()))
    logging.info("from " + referrer)  # expect: py/log-injection
# case: search box
import re
from flask import request


def find(texts):
    wanted = request.args["wanted"]
    exact = [t for t in texts if re.search(r"\b" + re.escape(wanted) + r"\b", t)]
    loose = [t for t in texts if re.search(r"\b" + wanted + r"\b", t)]  # expect: py/regex-injection
    plain = [t for t in texts if wanted.lower() in t.lower()]
    if wanted.isalnum():
        loose += re.findall(wanted, texts[0])
    return exact, loose, plain
# case: text is tainted, pattern is not
import re
from flask import request


def words():
    return re.sub(r"\s+", " ", request.args["text"]), re.split(",", request.args["list"])
