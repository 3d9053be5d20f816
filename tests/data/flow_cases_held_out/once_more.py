# case: hosts once more
import re
import ipaddress
from urllib.parse import urlparse, urlsplit
from flask import Flask, abort, redirect, request, url_for

app = Flask(__name__)
TRUSTED = ("example.com", "example.org")
PATTERN = re.compile(r"^(?:[a-z0-9-]+\.)?example\.com$")
SUFFIXES = (".example.com", ".example.org")


def a():
    nxt = request.args.get("next", "/")
    parsed = urlparse(nxt)
    if parsed.netloc and parsed.netloc not in TRUSTED:
        abort(400)
    return redirect(nxt)


def b():
    host = urlparse(request.args["u"]).hostname or ""
    if not PATTERN.match(host):
        abort(400)
    return "ok"


def c():
    host = urlparse(request.args["u"]).hostname or ""
    if host.endswith(SUFFIXES) or host in TRUSTED:
        return "ok"
    abort(400)


def d():
    u = request.args["u"]
    if u.find("example.com") != -1:  # expect: py/incomplete-host-check
        return redirect(u)
    abort(400)


def e():
    u = request.args["u"]
    if re.search(r"example\.com", u):  # expect: py/incomplete-host-check
        return redirect(u)
    abort(400)


def f():
    u = request.args["u"]
    if re.match(r"^https://(www\.)?example\.com(/|\?|$)", u):
        return redirect(u)
    abort(400)


def g(url: str) -> bool:
    return "://example.com" in url  # expect: py/incomplete-host-check


def h(origin):
    return origin in ["https://example.com", "https://www.example.com"]


def i(origin):
    return origin.startswith("https://app.example.com")  # expect: py/incomplete-host-check


def j(hostname):
    return hostname == "example.com" or hostname.endswith("example.com")  # expect: py/incomplete-host-check


def k(hostname):
    return ("." + hostname).endswith(".example.com")


def l():
    referer = request.headers.get("Referer", "")
    return urlsplit(referer).netloc == "example.com"


def m(email):
    return email.split("@")[-1] == "example.com" or email.endswith("@example.com")


def n(filename):
    return filename.endswith(".py") or "setup.cfg" in filename


def o(url):
    return re.fullmatch(r"https://[^/]+\.example\.com/.*", url)


def r(url):
    return re.match(r"https://.*\.example\.com/", url)  # expect: py/incomplete-host-check


def s(url):
    return url.split("://", 1)[1].split("/", 1)[0].endswith(".example.com")
# case: modes once more
import os, stat, shutil, tempfile, logging, json
from pathlib import Path

MODE = stat.S_IRUSR | stat.S_IWUSR
WIDE = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH


def a(data):
    p = Path("token.json")
    p.write_text(json.dumps(data))
    p.chmod(MODE)


def b(data):
    p = Path("token.json")
    p.touch(mode=0o600, exist_ok=True)
    p.write_text(json.dumps(data))


def c(path):
    os.chmod(path, WIDE)  # expect: py/weak-file-permissions


def d(path):
    for root, dirs, files in os.walk(path):
        for f in files:
            os.chmod(os.path.join(root, f), 0o666)  # expect: py/weak-file-permissions
        for d in dirs:
            os.chmod(os.path.join(root, d), 0o700)


def e(fd):
    os.fchmod(fd, 0o777)  # expect: py/weak-file-permissions
    os.fchmod(fd, stat.S_IRUSR)


def f(path, mode=0o600):
    os.chmod(path, mode)


def g(path, mode=0o777):
    os.chmod(path, mode)  # expect: py/weak-file-permissions


def h(path):
    os.chmod(path, int("600", 8))
    os.chmod(path, int("777", 8))  # expect: py/weak-file-permissions


def i(path, group):
    perms = {"private": 0o600, "dir": 0o700}
    os.chmod(path, perms[group])


def j(secret):
    with open(os.open("secret.txt", os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(secret)


def k(path):
    os.mkfifo(path, 0o600)
    os.mkfifo(path, 0o666)  # expect: py/weak-file-permissions


def l(path):
    os.makedirs(path, 0o755, exist_ok=True)
    os.makedirs(path, exist_ok=True)
# case: secrets once more
import os, hmac, hashlib, jwt, requests
from functools import lru_cache
from flask import Flask, request
from dotenv import load_dotenv

load_dotenv()
app = Flask(__name__)
app.config["SECRET_KEY"] = os.urandom(32)
app.config.update(SECRET_KEY="abcdef123456")  # expect: py/hardcoded-credentials
API_TOKEN = os.environ["API_TOKEN"]
headers = {"Authorization": "Bearer " + API_TOKEN}
bad_headers = {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9"}  # expect: py/hardcoded-credentials
PASSWORD_HASH_METHOD = "pbkdf2:sha256"
TOKEN_TYPE = "bearer"
RESET_PASSWORD_TEMPLATE = "reset.html"
password = None
token_url = "https://auth.example.com/oauth/token"


@lru_cache
def secret():
    with open("/run/secrets/db") as f:
        return f.read().strip()


def login():
    user = request.form["user"]
    password = request.form["password"]
    if user == "root" and password == "toor123":  # expect: py/hardcoded-credentials
        return "ok"
    if request.headers.get("X-Api-Key") == "k-12345678":  # expect: py/hardcoded-credentials
        return "ok"
    if request.headers.get("X-Api-Key") == os.environ["KEY"]:
        return "ok"
    if password != request.form["password_again"]:
        return "differ"
    if len(password) < 8 or password.lower() == user:
        return "weak"
    return "no"


def sign(data):
    return hmac.new(b"supersecretkey", data, hashlib.sha256).hexdigest()  # expect: py/hardcoded-credentials


def sign_well(data):
    return hmac.new(os.environ["K"].encode(), data, hashlib.sha256).hexdigest()


def call():
    requests.post("https://x", json={"password": os.environ["PW"]})
    requests.post("https://x", data={"username": "a", "password": "hunter22"})  # expect: py/hardcoded-credentials
    requests.get("https://x", params={"token": API_TOKEN})


def read():
    config = {"password": secret(), "token": ""}
    return config


def decode(token):
    return jwt.decode(token, os.environ["JWT"], algorithms=["HS256"]), jwt.decode(token, "secret123", algorithms=["HS256"])  # expect: py/hardcoded-credentials
# case: logs and patterns once more
import logging, re, fnmatch
import structlog
from flask import Flask, request, g

app = Flask(__name__)
log = structlog.get_logger()
LOGGER = logging.getLogger("x")


def scrub(v):
    if v is None:
        return ""
    return str(v).replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


@app.before_request
def before():
    LOGGER.info("path %s", request.path)  # expect: py/log-injection
    LOGGER.info("path %s", scrub(request.path))
    LOGGER.info("method %s", request.method)
    LOGGER.info("%s", {"path": request.path})
    LOGGER.log(logging.INFO, "ua %s", request.user_agent.string)  # expect: py/log-injection


@app.route("/login", methods=["POST"])
def login():
    username = request.form["username"]
    if not re.match(r"^\w{3,20}$", username):
        LOGGER.warning("bad name")
        return "bad"
    LOGGER.info("login %s", username)
    LOGGER.info("login %s", request.form["username"])
    note = request.form["note"]
    LOGGER.info("note %s", note.split("\n")[0])
    LOGGER.info("note %s", "".join(ch for ch in note if ch.isprintable()))
    LOGGER.info("note %s", note[:50])  # expect: py/log-injection
    LOGGER.info("note %s", ascii(note))
    LOGGER.info("note %d", len(note))
    return "ok"


@app.route("/find")
def find():
    t = request.args["t"]
    rx = re.compile(t, re.I)  # expect: py/regex-injection
    ok = re.compile(r"\b%s\b" % re.escape(t))
    gl = re.compile(fnmatch.translate(t))
    if re.fullmatch(r"[a-z ]+", t):
        again = re.compile(t)
    return str([rx.pattern, ok.pattern, gl.pattern])


def users(pattern, names):
    return [n for n in names if re.match(pattern, n)]  # expect: py/regex-injection
# case: loaders once more
import pickle, yaml, json, base64, zlib, io, hmac, hashlib, os
import numpy as np, pandas as pd
from ruamel.yaml import YAML
from flask import request, session
import requests, redis, socket


def a():
    raw = zlib.decompress(base64.b64decode(request.form["state"]))
    return pickle.loads(raw)  # expect: py/unsafe-deserialization


def b():
    raw = zlib.decompress(base64.b64decode(request.form["state"]))
    return json.loads(raw)


def c():
    return YAML(typ="safe").load(request.data)


def d(f):
    return np.load(f, allow_pickle=False), np.load("x.npy", allow_pickle=True)


def e(f):
    return np.load(f, allow_pickle=True)  # expect: py/unsafe-deserialization


def g():
    return pd.read_pickle(request.args["file"])  # expect: py/unsafe-deserialization


def h():
    return pd.read_json(io.StringIO(request.form["d"]))


def i():
    s = socket.socket()
    s.connect(("h", 1))
    return pickle.loads(s.recv(1024))  # expect: py/unsafe-deserialization


def j():
    data = request.get_data()
    sig, payload = data[:64], data[64:]
    good = hmac.new(os.environ["K"].encode(), payload, hashlib.sha256).hexdigest().encode()
    if hmac.compare_digest(sig, good):
        return pickle.loads(payload)
    return None


def k():
    token = request.cookies["t"]
    body, sig = token.rsplit(".", 1)
    good = hmac.new(os.environ["K"].encode(), body.encode(), hashlib.sha256).hexdigest()
    if good != sig:
        raise ValueError
    return pickle.loads(base64.b64decode(body))


class Loader(yaml.SafeLoader):
    pass


def l(text):
    return yaml.load(text, Loader=Loader), yaml.load(text, Loader=yaml.BaseLoader)


def m(stream):
    return yaml.load(stream)  # expect: py/unsafe-deserialization
