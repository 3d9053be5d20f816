# case: prefix f-string
import os
from flask import Flask, request, abort
BASE = "/srv/files"
def x():
    p = os.path.abspath(f"{BASE}/{request.args['f']}")
    if p[:len(BASE)] != BASE:
        abort(404)
    return open(p).read()  # expect: py/path-traversal
# case: prefix find
import os
from flask import Flask, request, abort
BASE = "/srv/files"
def x():
    p = os.path.realpath(os.path.join(BASE, request.args['f']))
    if p.find(BASE) != 0:
        abort(404)
    return open(p).read()  # expect: py/path-traversal
# case: regex prefix
import os, re
from flask import Flask, request, abort
def x():
    p = os.path.realpath(os.path.join("/srv/files", request.args['f']))
    if not re.match(r"^/srv/files", p):
        abort(404)
    return open(p).read()  # expect: py/path-traversal
# case: pathlib parts
from pathlib import Path
from flask import Flask, request, abort
BASE = Path("/srv/files").resolve()
def x():
    p = (BASE / request.args["f"]).resolve()
    if BASE not in p.parents:
        abort(404)
    return p.read_text()
# case: startswith parent sep
import os
from flask import request, abort
BASE = os.path.abspath("uploads")
def x():
    p = os.path.abspath(os.path.join(BASE, request.args["f"]))
    if not p.startswith(BASE + os.sep):
        abort(404)
    return open(p).read()
# case: startswith str resolve
from pathlib import Path
from flask import request, abort
BASE = Path("/srv/files")
def x():
    p = BASE.joinpath(request.args["f"]).resolve()
    if not p.as_posix().startswith(BASE.as_posix()):
        abort(404)
    return p.read_bytes()  # expect: py/path-traversal
# case: django media root
import os
from django.conf import settings
from django.http import HttpResponse, Http404
def x(request):
    p = os.path.realpath(os.path.join(settings.MEDIA_ROOT, request.GET["f"]))
    if not p.startswith(settings.MEDIA_ROOT):
        raise Http404
    return HttpResponse(open(p, "rb"), content_type="image/png")  # expect: py/path-traversal
# case: fastapi
import os
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
app = FastAPI()
ROOT = "/data/files"
@app.get("/f/{name:path}")
def f(name: str):
    full = os.path.normpath(os.path.join(ROOT, name))
    if not full.startswith(ROOT):
        raise HTTPException(403)
    return FileResponse(full)  # expect: py/path-traversal
# case: commonpath ok fastapi
import os
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
app = FastAPI()
ROOT = "/data/files"
@app.get("/f/{name:path}")
def f(name: str):
    full = os.path.realpath(os.path.join(ROOT, name))
    if os.path.commonpath([ROOT, full]) != ROOT:
        raise HTTPException(403)
    return FileResponse(full)
# case: host endswith const no dot
from urllib.parse import urlparse
from flask import request, redirect, abort
def x():
    u = request.args["u"]
    if not urlparse(u).hostname.endswith("example.com"):  # expect: py/incomplete-host-check
        abort(400)
    return redirect(u)
# case: host config django
from urllib.parse import urlsplit
from django.conf import settings
from django.shortcuts import redirect
def x(request):
    u = request.GET["next"]
    host = urlsplit(u).netloc
    if host.endswith(settings.COOKIE_DOMAIN):  # expect: py/incomplete-host-check
        return redirect(u)
    return redirect("/")
# case: host removesuffix ok
from urllib.parse import urlsplit
from django.conf import settings
from django.shortcuts import redirect
def x(request):
    u = request.GET["next"]
    host = urlsplit(u).hostname
    if host == settings.DOMAIN or host.endswith("." + settings.DOMAIN):
        return redirect(u)
    return redirect("/")
# case: host regex fullmatch dots
import re
from flask import request, redirect
HOST = re.compile(r"https://(www.)?example.com/.*")
def x():
    u = request.args["u"]
    if HOST.fullmatch(u):  # expect: py/incomplete-host-check
        return redirect(u)
    return "no"
# case: host pattern compiled no scheme endswith
import re
from flask import request, redirect
API = re.compile("api.example.org")
def x():
    host = request.args["host"]
    if API.match(host):  # expect: py/incomplete-host-check
        return redirect("https://" + host)
    return "no"
# case: pandas query regex
import pandas as pd
from flask import request
def x():
    s = pd.Series(["a"])
    return s.str.extract(request.args["q"]).to_json()  # expect: py/regex-injection
# case: pandas replace
import pandas as pd
from flask import request
def x():
    s = pd.read_csv("a.csv")["n"]
    return s.replace(request.args["q"], "", regex=True).to_json()  # expect: py/regex-injection
# case: argv regex compile
import re, sys
def main():
    pat = re.compile(sys.argv[1])  # expect: py/regex-injection
    print(pat.search("a"))
# case: click regex
import re, click
@click.command()
@click.argument("word")
def main(word):
    print(re.findall(word, open("a").read()))  # expect: py/regex-injection
# case: argparse regex escape
import re, argparse
def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("word")
    a = ap.parse_args()
    print(re.findall(re.escape(a.word), open("a").read()))
# case: key var positional
from openai import OpenAI
k = "sk9XbT3mQ7vL2pZ8wR4yN6cF1dH5jG0a"
client = OpenAI(k)  # expect: py/hardcoded-credentials
# case: key kw
from stripe import StripeClient
key = "rk9XbT3mQ7vL2pZ8wR4yN6cF1dH5jG0a"  # expect: py/hardcoded-credentials
client = StripeClient(key=key)  # expect: py/hardcoded-credentials
# case: key from env
import os
from somesdk import Client
key = os.environ["KEY"]
client = Client("https://api.example", key)
# case: chmod
import os, stat
def save(p):
    os.chmod(p, stat.S_IRWXU | stat.S_IROTH)  # expect: py/weak-file-permissions
    os.chmod(p, 0o700)
    os.chmod(p, 0o600)
# case: open mode
import os
def save(p):
    fd = os.open(p, os.O_CREAT | os.O_WRONLY, 0o604)  # expect: py/weak-file-permissions
    return fd
# case: second order fetchall
import sqlite3
def tags(conn):
    cur = conn.cursor()
    cur.execute("SELECT tag FROM tags")
    for row in cur.fetchall():
        cur.execute(f"INSERT INTO log VALUES ('{row[0]}')")  # expect: py/sql-injection
# case: second order ok int
import sqlite3
def tags(conn):
    for (i,) in conn.execute("SELECT id FROM tags"):
        conn.execute("DELETE FROM log WHERE id = %d" % i)
        conn.execute("DELETE FROM log WHERE id = %s" % i)
# case: b64 cookie
import base64
from flask import request
def x(cur):
    v = base64.b64decode(request.cookies["v"]).decode()
    cur.execute(f"SELECT '{v}'")  # expect: py/sql-injection
# case: b64 pack
import base64, json
from flask import request
def x(cur):
    token = base64.b64encode(json.dumps({"n": request.args["n"]}).encode()).decode()
    data = json.loads(base64.b64decode(token))
    cur.execute(f"SELECT '{data['n']}'")  # expect: py/sql-injection
# case: hex join
from flask import request
def x(cur):
    h = request.args["n"].encode("utf-8").hex()
    back = bytes.fromhex(h).decode("utf-8")
    cur.execute("SELECT '" + back + "'")  # expect: py/sql-injection
# case: zlib
import zlib
from flask import request
def x(cur):
    back = zlib.decompress(zlib.compress(request.args["n"].encode())).decode()
    cur.execute("SELECT '" + back + "'")  # expect: py/sql-injection
# case: b64 digest compare
import base64, hmac, hashlib, pickle
from flask import request
def x():
    sig = base64.b64encode(hmac.new(KEY, request.data, hashlib.sha256).digest())
    if not hmac.compare_digest(sig, request.headers["sig"].encode()):
        return "no"
    return pickle.loads(request.data)
# case: g user
from flask import g, request, Flask
app = Flask(__name__)
@app.before_request
def load():
    g.name = request.headers.get("X-Name")
@app.route("/x")
def x():
    return f"<p>{g.name}</p>"  # expect: py/cross-site-scripting
# case: setattr obj
from flask import request
class F: pass
def x(cur):
    f = F()
    for k in ("name", "kind"):
        setattr(f, k, request.args[k])
    cur.execute(f"SELECT '{f.kind}'")  # expect: py/sql-injection
# case: setattr clean
from flask import request
class F: pass
def x(cur):
    f = F()
    setattr(f, "name", int(request.args["n"]))
    cur.execute(f"SELECT '{f.name}'")
