# Kinds of false alarms in libraries, each beside the weakness that it resembles.

# case: whether a password is updated is a choice
class User:
    def __init__(self, module):
        self.password = module.params["password"]
        self.update_password = module.params["update_password"]
        self.reset_password = "on-first-login"

    def modify(self, info):
        if self.update_password == "always" and self.password is not None and info[1] != self.password:
            return ["-p", self.password]
        if self.password == "always":  # expect: py/hardcoded-credentials
            return []
        return None


reset_password = "Spring-2024"  # expect: py/hardcoded-credentials
# case: a page that sets a password is named by a verb
class ConfirmView:
    reset_url_token = "set-password"
    invite_token = "secret-passage"  # expect: py/hardcoded-credentials

    def dispatch(self, token):
        return token == self.reset_url_token
# case: names of a driver's arguments
def create_connect_args(url, names=None):
    if names is None:
        names = dict(database="db", username="user", password="passwd")
    columns = {"password": "pwd", "login": "user"}
    return url.translate_connect_args(**names), columns


def connect(driver):
    settings = {"user": "root", "password": "pwd"}
    driver.connect(**settings)  # expect: py/hardcoded-credentials
    return driver.connect(user="root", password="pass")  # expect: py/hardcoded-credentials
# case: an account that stands in for one
class Connection:
    def __init__(self, user, password):
        self.user = user
        self.password = password


def connection(explain, answer):
    if explain:
        return Connection(user="root", password="password")
    return Connection(user=answer["user"], password=answer["password"])
# case: a credential is reported where it is written, once
class Account:
    def __init__(self, user, password):
        self.user = user
        self.password = password


PASSWORD = "hunter22"  # expect: py/hardcoded-credentials
account = Account(user="root", password=PASSWORD)
client = make_client(
    user="root",
    password=PASSWORD,
)


def check(password):
    return password == PASSWORD
# case: a credential whose own place does not say what it is
class Account:
    def __init__(self, user, password):
        self.user = user
        self.password = password  # expect: py/hardcoded-credentials


account = Account("root", "hunter22")
# case: an engine for Python objects makes no page
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment
from flask import Flask

values = NativeEnvironment().from_string("{{ 1 + 1 }}")
pages = Environment()  # expect: py/template-without-escaping
# case: docutils escapes what it is given unless raw HTML is allowed
import docutils.core
from django.utils.safestring import mark_safe
from flask import request


def shown():
    text = request.args["text"]
    settings = {"raw_enabled": False, "file_insertion_enabled": False}
    parts = docutils.core.publish_parts(text, source_path=text, settings_overrides=settings)
    return mark_safe(parts["fragment"])


def shown_raw():
    parts = docutils.core.publish_parts(request.args["text"], writer_name="html")
    return mark_safe(parts["fragment"])  # expect: py/cross-site-scripting
# case: names in camel case and loops over names are no keys
NAMES = ("heightOfGeoidAboveWGS84Units", "satellitePRN_0Elevation")
for key in NAMES:
    print(key)
for result, apikey in [("id", "album_id"), ("title", "album_title")]:
    print(result, apikey)
key = "hG8fOe9oIdA2bVwG5s84uNt1"  # expect: py/hardcoded-credentials
# case: the name of a setting that a reader returns, and of a header in bytes
def get(section, name, default):
    return section.get(name, default) or name


def account(section):
    password = get(section, "password", None)
    return {"password": password}


GITLAB_TOKEN_HEADER = b"X-Gitlab-Token"
_HEADER_GITLAB_TOKEN = b"X-Gitlab-Token"
_GITLAB_TOKEN = b"glpat-3kd93kd02k"  # expect: py/hardcoded-credentials
access_token = b"glpat-3kd93kd02k"  # expect: py/hardcoded-credentials
# case: files of keys, mail addresses of anonymous accounts, patterns of addresses
import re

listen(port=8443, private_key="server.pem", password="(snip)")
client = ftplib.FTP("ftp.example", user="anonymous", password="ftp@example.com")
SSH = re.compile("ssh://(?:[^@]*@)?([^.]*).git.example.net/(.*)$")
DATABASE = "postgres://shop:Pa55word@db/shop"  # expect: py/hardcoded-credentials
# case: a line that a line protocol hands on has no end
import logging
from twisted.protocols.basic import LineReceiver

log = logging.getLogger(__name__)


class Chat(LineReceiver):
    def lineReceived(self, line):
        log.info("got line %s", line)

    def dataReceived(self, data):
        log.info("got %s", data)  # expect: py/log-injection
# case: another application makes the answer
from functools import partial


class Middleware:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, partial(self.started, start_response))

    def started(self, start_response, status, headers):
        return start_response(status, headers)


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [("<p>" + environ["QUERY_STRING"]).encode()]  # expect: py/cross-site-scripting
# case: an uploaded file of a form is no path
import os

from django import forms
from PIL import Image


class AvatarForm(forms.Form):
    def save(self):
        image = Image.open(self.cleaned_data["avatar"])
        with open(os.path.join("/srv/avatars", self.cleaned_data["nickname"]), "wb") as out:  # expect: py/path-traversal
            image.save(out)
# case: a script that a shell reads from its input
import subprocess

from flask import request


def run():
    text = request.form["text"].encode()
    subprocess.run(["bash", "-s"], input=text)  # expect: py/command-injection
    subprocess.run(["bash", "count.sh"], input=text)
    subprocess.run(["wc", "-w"], input=text)
    subprocess.run(["sh", "-c", "cat > /srv/note"], input=text)
# case: the suffix of an archive's member is checked, its folders are not
import os
import zipfile
from pathlib import Path

SUFFIXES = {".jpg", ".png"}


def unzip(archive, folder):
    with zipfile.ZipFile(archive) as photos:
        for info in photos.infolist():
            path = Path(folder) / info.filename
            if path.suffix.lower() in SUFFIXES:
                path.write_bytes(photos.read(info))  # expect: py/archive-traversal


def unzip_by_ending(archive, folder):
    with zipfile.ZipFile(archive) as photos:
        for name in photos.namelist():
            if os.path.splitext(name)[1] in SUFFIXES:
                with open(os.path.join(folder, name), "wb") as out:  # expect: py/archive-traversal
                    out.write(photos.read(name))


def unzip_inside(archive, folder):
    root = Path(folder).resolve()
    with zipfile.ZipFile(archive) as photos:
        for info in photos.infolist():
            path = (root / info.filename).resolve()
            if path.suffix.lower() in SUFFIXES and path.is_relative_to(root):
                path.write_bytes(photos.read(info))
# case: a hook after the handlers gets their response
from flask import Flask, request

app = Flask(__name__)


@app.after_request
def headers(response):
    response.headers["X-Frame-Options"] = "DENY"
    return response


@app.errorhandler(404)
def missing(error):
    return "<p>" + request.path, 404  # expect: py/cross-site-scripting
# case: a regular expression is no credential
import re

SECRET = re.compile(r"(^|_)(pass|secret)_?(word|key)$", re.I)
SECRET_KEY = "p4ss-or-secret-word"  # expect: py/hardcoded-credentials
