# case: prefixes without a separator
import os
from pathlib import Path

from flask import abort, request

ROOT = os.path.realpath("/srv/files")
FOLDER = Path("/srv/files").resolve()


def constant_prefix():
    path = os.path.realpath("/srv/files/" + request.args["f"])
    if not path.startswith("/srv/files"):
        abort(403)
    return open(path).read()  # expect: py/path-traversal


def constant_prefix_with_separator():
    path = os.path.realpath("/srv/files/" + request.args["f"])
    if not path.startswith("/srv/files/"):
        abort(403)
    return open(path).read()


def variable_prefix():
    path = os.path.abspath(os.path.join(ROOT, request.args["f"]))
    if path.startswith(ROOT):
        return open(path).read()  # expect: py/path-traversal


def variable_prefix_with_separator():
    path = os.path.abspath(os.path.join(ROOT, request.args["f"]))
    if path.startswith(ROOT + os.sep):
        return open(path).read()


def one_of_several():
    path = os.path.abspath(os.path.join(ROOT, request.args["f"]))
    if path.startswith(("/srv/files/", "/srv/images")):
        return open(path).read()  # expect: py/path-traversal


def one_of_several_with_separators():
    path = os.path.abspath(os.path.join(ROOT, request.args["f"]))
    if path.startswith(("/srv/files/", "/srv/images/")):
        return open(path).read()


def by_text_of_a_path():
    path = (FOLDER / request.args["f"]).resolve()
    if not str(path).startswith(str(FOLDER)):
        abort(403)
    return path.read_text()  # expect: py/path-traversal


def by_text_of_a_path_with_separator():
    path = (FOLDER / request.args["f"]).resolve()
    if not str(path).startswith(f"{FOLDER}/"):
        abort(403)
    return path.read_text()


def by_an_empty_last_part():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if not path.startswith(os.path.join(ROOT, "")):
        abort(403)
    return open(path).read()


def root_or_inside():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if path != ROOT and not path.startswith(ROOT + "/"):
        abort(403)
    return open(path).read()
# case: prefixes in helpers
import os

from flask import abort, request

ROOT = os.path.realpath("/srv/files")


def starts_inside(path):
    return os.path.realpath(path).startswith(ROOT)


def inside(path):
    return os.path.realpath(path).startswith(ROOT + os.path.sep)


def ensure_inside(path):
    if os.path.commonprefix([os.path.realpath(path), ROOT]) != ROOT:
        raise ValueError("outside")


def first():
    path = os.path.join(ROOT, request.args["f"])
    if not starts_inside(path):
        abort(403)
    return open(path).read()  # expect: py/path-traversal


def second():
    path = os.path.join(ROOT, request.args["f"])
    if not inside(path):
        abort(403)
    return open(path).read()


def third():
    path = os.path.join(ROOT, request.args["f"])
    ensure_inside(path)
    return open(path).read()  # expect: py/path-traversal
# case: what two paths share
import os

from flask import abort, request

ROOT = os.path.realpath("/srv/files")


def letters():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if os.path.commonprefix([ROOT, path]) == ROOT:
        return open(path).read()  # expect: py/path-traversal


def letters_with_separator():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if os.path.commonprefix([ROOT + "/", path]) == ROOT + "/":
        return open(path).read()


def parts():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if os.path.commonpath([ROOT, path]) != ROOT:
        abort(403)
    return open(path).read()


def contained_text():
    path = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if ROOT not in path:
        abort(403)
    return open(path).read()  # expect: py/path-traversal
# case: only leading dots
import os
import re

from flask import abort, request

ROOT = "/srv/files"


def leading():
    name = request.args["f"]
    if name.startswith("../") or name.startswith("/"):
        abort(403)
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def leading_in_a_tuple():
    name = request.args["f"]
    if name.startswith(("..", "/")):
        abort(403)
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def leading_by_pattern():
    name = request.args["f"]
    if re.search(r"^\.\./", name) or os.path.isabs(name):
        abort(403)
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def leading_part():
    name = request.args["f"]
    if name.split("/")[0] == ".." or os.path.isabs(name):
        abort(403)
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def stripped():
    name = request.args["f"].lstrip("./")
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def removed_once():
    name = request.args["f"].replace("../", "").lstrip("/")
    return open(os.path.join(ROOT, name)).read()  # expect: py/path-traversal


def normalised():
    name = os.path.normpath(request.args["f"])
    if name.startswith("..") or os.path.isabs(name):
        abort(403)
    return open(os.path.join(ROOT, name)).read()


def anywhere():
    name = request.args["f"]
    if re.search(r"(^|/)\.\.(/|$)", name) or name.startswith("/"):
        abort(403)
    return open(os.path.join(ROOT, name)).read()


def any_part():
    name = request.args["f"]
    if ".." in name.split("/") or name.startswith("/"):
        abort(403)
    return open(os.path.join(ROOT, name)).read()
# case: hosts from the settings
import os
from urllib.parse import urlparse

from flask import Flask, abort, redirect, request

app = Flask(__name__)
ALLOWED = os.environ["ALLOWED_HOST"]


@app.route("/a")
def suffix_without_dot():
    url = request.args["url"]
    if not urlparse(url).netloc.endswith(ALLOWED):  # expect: py/incomplete-host-check
        abort(400)
    return redirect(url)


@app.route("/b")
def suffix_with_dot():
    url = request.args["url"]
    host = urlparse(url).hostname
    if host != ALLOWED and not host.endswith("." + ALLOWED):
        abort(400)
    return redirect(url)


@app.route("/c")
def any_suffix():
    host = urlparse(request.args["url"]).hostname or ""
    if any(host.endswith(domain) for domain in app.config["DOMAINS"]):  # expect: py/incomplete-host-check
        return redirect(request.args["url"])
    return "no"


@app.route("/d")
def any_suffix_with_dot():
    host = urlparse(request.args["url"]).hostname or ""
    if any(host == domain or host.endswith(f".{domain}") for domain in app.config["DOMAINS"]):
        return redirect(request.args["url"])
    return "no"


@app.route("/e")
def prefix_without_slash():
    url = request.args["url"]
    if url.startswith(app.config["BASE_URL"]):  # expect: py/incomplete-host-check
        return redirect(url)
    return "no"


@app.route("/f")
def prefix_with_slash():
    url = request.args["url"]
    if url.startswith(app.config["BASE_URL"] + "/"):
        return redirect(url)
    return "no"


@app.route("/g")
def contained():
    url = request.args["url"]
    if ALLOWED in url:  # expect: py/incomplete-host-check
        return redirect(url)
    return "no"


@app.route("/h")
def equal():
    url = request.args["url"]
    if urlparse(url).hostname == ALLOWED or urlparse(url).hostname in app.config["DOMAINS"]:
        return redirect(url)
    return "no"
# case: host patterns without a scheme
import re

from flask import Flask, redirect, request

app = Flask(__name__)
OPEN = re.compile(r"^(shop|www).store.example/")
CLOSED = re.compile(r"^(shop|www)\.store\.example/")


@app.route("/a")
def unescaped():
    url = request.args["url"]
    if OPEN.match(url):  # expect: py/incomplete-host-check
        return redirect("https://" + url)
    return "no"


@app.route("/b")
def escaped():
    url = request.args["url"]
    if CLOSED.match(url):
        return redirect("https://" + url)
    return "no"


@app.route("/c")
def direct():
    target = request.args["target"]
    if re.match("api.store.example/v1/", target):  # expect: py/incomplete-host-check
        return redirect("https://" + target)
    return "no"
