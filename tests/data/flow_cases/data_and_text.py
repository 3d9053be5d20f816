# case: cookie unpickled through a helper
import base64
import pickle
from flask import request


def decode(text):
    return pickle.loads(base64.b64decode(text))  # expect: py/unsafe-deserialization


def cart():
    return decode(request.cookies.get("cart"))
# case: signature checked first
import hashlib
import hmac
import os
import pickle
from flask import abort, request

KEY = os.environ["CART_KEY"].encode()


def cart():
    body = request.get_data()
    expected = hmac.new(KEY, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers["X-Signature"]):
        abort(403)
    return pickle.loads(body)
# case: yaml loaders
import yaml
from yaml import SafeLoader as Careful


def read(text):
    first = yaml.load(text, Loader=Careful)
    second = yaml.safe_load(text)
    third = yaml.load(text, Loader=yaml.UnsafeLoader)  # expect: py/unsafe-deserialization
    return first, second, third
# case: own cache file and constant text
import pickle
import yaml

TEXT = "a: 1"


def cached():
    with open("cache.bin", "rb") as stream:
        return pickle.load(stream), yaml.load(TEXT, Loader=yaml.FullLoader)
# case: restricted unpickler and a socket
import io
import pickle
import socket


class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(name)


def receive(connection: socket.socket):
    data = connection.recv(4096)
    safe = Restricted(io.BytesIO(data)).load()
    unsafe = pickle.Unpickler(io.BytesIO(data)).load()  # expect: py/unsafe-deserialization
    return safe, unsafe
# case: log of request data
import logging
from flask import request

log = logging.getLogger(__name__)


def one_line(text):
    return text.replace("\r", "").replace("\n", " ")


def visit():
    agent = request.headers.get("User-Agent", "")
    log.info("agent %s", agent)  # expect: py/log-injection
    log.info("agent %r", agent)
    log.info("agent %s", one_line(agent))
    log.info(f"agent {agent!r}")
    log.info("length %d", len(agent))
    log.warning("agent: {}".format(agent))  # expect: py/log-injection
# case: log file written by hand
from flask import request


def visit():
    with open("/var/log/visits.log", "a") as stream:
        stream.write(request.remote_addr + " " + request.args["page"] + "\n")  # expect: py/log-injection
# case: name logged after a check
import logging
import re
from flask import abort, request


def login():
    name = request.form["name"]
    if re.fullmatch(r"\w+", name) is None:
        abort(400)
    logging.info("login of " + name)
# case: patterns from outside
import re
from flask import request


def search(lines):
    wanted = request.args["wanted"]
    plain = re.compile(re.escape(wanted), re.I)
    free = re.compile(f"^{wanted}$")  # expect: py/regex-injection
    return [line for line in lines if plain.search(line) or free.search(line)]
# case: pattern chosen from a table
import re
from flask import request

PATTERNS = {"digits": r"\d+", "words": r"\w+"}


def search(text):
    return re.findall(PATTERNS[request.args["kind"]], text)
# case: hosts compared badly
import re
from urllib.parse import urlparse
from flask import redirect, request


def one():
    target = request.args["target"]
    if "example.com" in target:  # expect: py/incomplete-host-check
        return redirect(target)


def two():
    target = request.args["target"]
    if target.startswith("https://example.com"):  # expect: py/incomplete-host-check
        return redirect(target)


def three():
    target = request.args["target"]
    if urlparse(target).netloc.endswith("example.com"):  # expect: py/incomplete-host-check
        return redirect(target)


def four():
    target = request.args["target"]
    if re.match(r"https://www.example\.com/", target):  # expect: py/incomplete-host-check
        return redirect(target)
# case: hosts compared well
import re
from urllib.parse import urlparse
from flask import redirect, request

ALLOWED = {"example.com", "www.example.com"}
SUFFIX = ".example.com"


def one():
    target = request.args["target"]
    if urlparse(target).hostname in ALLOWED:
        return redirect(target)


def two():
    target = request.args["target"]
    host = urlparse(target).hostname or ""
    if host == "example.com" or host.endswith(SUFFIX):
        return redirect(target)


def three():
    target = request.args["target"]
    if re.fullmatch(r"https://([a-z0-9-]+\.)?example\.com(/.*)?", target):
        return redirect(target)


def four():
    target = request.args["target"]
    if target.startswith("https://example.com/") or target.startswith("/docs"):
        return redirect(target)
