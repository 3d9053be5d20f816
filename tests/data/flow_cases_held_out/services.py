# case: secure web variants
import html, os, re, subprocess, logging, pickle, json, hmac, hashlib, yaml
from pathlib import Path
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, FileResponse
from pydantic import BaseModel, constr
from enum import Enum
from typing import Literal, Optional, Annotated

app = FastAPI()
BASE = Path("/data")
ALLOWED = re.compile(r"^[a-z0-9_-]{1,32}$")
COMMANDS = {"date": ["date"], "up": ["uptime"]}


@app.get("/a")
async def a(name: Annotated[str, Query(pattern=r"^[a-z]+$")]):
    return subprocess.run(f"id {name}", shell=True)


@app.get("/b")
async def b(kind: Literal["x", "y"], n: Optional[int] = None):
    os.system(f"tool {kind} {n}")


@app.get("/c")
async def c(cmd: str):
    if cmd not in COMMANDS:
        raise HTTPException(404)
    return subprocess.check_output(COMMANDS[cmd])


@app.get("/d", response_class=HTMLResponse)
async def d(name: str):
    safe = html.escape(name)
    return HTMLResponse(f"<b>{safe}</b>")


@app.get("/e")
async def e(name: str):
    if not ALLOWED.match(name):
        raise HTTPException(400)
    return FileResponse(BASE / f"{name}.pdf")


@app.get("/f")
async def f(name: str):
    target = (BASE / name).resolve()
    if not target.is_relative_to(BASE.resolve()) or not target.is_file():
        raise HTTPException(404)
    return FileResponse(str(target))


class Item(BaseModel):
    slug: constr(regex=r"^[a-z-]+$")
    title: str


@app.post("/g")
async def g(item: Item):
    os.system("publish " + item.slug)
    os.system("publish " + item.title)  # expect: py/command-injection


@app.post("/h")
async def h(request: Request):
    body = await request.body()
    sig = request.headers.get("x-sig", "")
    if not hmac.compare_digest(hmac.new(os.environ["K"].encode(), body, hashlib.sha256).hexdigest(), sig):
        raise HTTPException(401)
    return pickle.loads(body)


@app.post("/i")
async def i(request: Request):
    data = await request.json()
    name = os.path.basename(data["name"])
    with open(BASE / name) as fh:
        return fh.read()


def sanitize(value: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]", "", value)


@app.get("/j")
def j(x: str):
    return os.popen("echo " + sanitize(x)).read()


@app.get("/k")
def k(x: str):
    logging.info("x=%s", sanitize(x))
    logging.info("x=%s", x.replace("\n", "").replace("\r", ""))
    logging.info("x=%s", json.dumps(x))
    logging.info("x=%s", x)  # expect: py/log-injection
    return yaml.safe_load(x)


def validate(path):
    real = os.path.realpath(path)
    if not real.startswith("/data/"):
        raise HTTPException(403)
    return real


@app.get("/l")
def l(p: str):
    return open(validate(os.path.join("/data", p))).read()


@app.get("/m")
def m(p: str):
    path = os.path.join("/data", p)
    validate(path)
    return open(path).read()


@app.get("/n")
def n(p: str):
    full = os.path.normpath(os.path.join("/data", p))
    if os.path.commonpath([full, "/data"]) != "/data":
        raise HTTPException(403)
    os.unlink(full)


@app.get("/o")
def o(names: list[str] = Query([])):
    quoted = [__import__("shlex").quote(n) for n in names]
    os.system("rm " + " ".join(quoted))
    os.system("rm " + " ".join(names))  # expect: py/command-injection
# case: django secure
import os, re
from django.db import connection
from django.http import HttpResponse, HttpResponseBadRequest, FileResponse, Http404
from django.utils.html import escape, format_html
from django.shortcuts import render, get_object_or_404
from django.conf import settings
from django.utils._os import safe_join
from .forms import NameForm
from .models import Doc


def a(request):
    q = request.GET.get("q", "")
    with connection.cursor() as c:
        c.execute("SELECT * FROM t WHERE a LIKE %s", ["%" + q + "%"])
    return HttpResponse(escape(q))


def b(request, pk):
    doc = get_object_or_404(Doc, pk=pk)
    return FileResponse(open(doc.file.path, "rb"))


def c(request, name):
    path = safe_join(settings.MEDIA_ROOT, name)
    return FileResponse(open(path, "rb"))


def d(request):
    name = request.POST["name"]
    if not re.match(r"^[\w-]+$", name):
        return HttpResponseBadRequest("bad name")
    os.system("mk " + name)
    return HttpResponse(format_html("<b>{}</b>", name))


def e(request):
    return HttpResponse("<b>%s</b>" % request.GET["x"])  # expect: py/cross-site-scripting


def f(request):
    sort = request.GET.get("sort")
    if sort not in dict(Doc.SORTS):
        sort = "name"
    return HttpResponse(Doc.objects.raw(f"SELECT * FROM doc ORDER BY {sort}"))


def g(request):
    return HttpResponse(f"Hello {request.user.username}")


def h(request):
    ids = request.GET.getlist("id")
    marks = ",".join(["%s"] * len(ids))
    with connection.cursor() as c:
        c.execute("SELECT * FROM t WHERE id IN (" + marks + ")", ids)
        c.execute("SELECT * FROM t WHERE id IN (" + ",".join(str(int(i)) for i in ids) + ")")
        c.execute("SELECT * FROM t WHERE id IN (" + ",".join(ids) + ")")  # expect: py/sql-injection
# case: scripts
import argparse, os, sys, subprocess, shutil, tempfile
from pathlib import Path


def convert(src: Path, dst: Path):
    subprocess.run(["convert", str(src), str(dst)], check=True)


def backup(folder):
    stamp = "20240101"
    archive = f"/backups/{stamp}.tar"
    subprocess.run(f"tar cf {archive} -C / etc", shell=True)
    subprocess.run("tar cf " + archive + " " + folder, shell=True)  # expect: py/command-injection


def read_config(path="config.ini"):
    with open(path) as f:
        return f.read()


def scratch():
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "x"), "w") as f:
            f.write("x")
        os.system(f"ls {d}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("input", type=Path)
    p.add_argument("-n", type=int)
    p.add_argument("--name")
    a = p.parse_args()
    convert(a.input, a.input.with_suffix(".png"))
    os.system(f"head -n {a.n} x")
    os.system(f"say {a.name}")  # expect: py/command-injection
    for f in os.listdir("."):
        print(f)
    shutil.copy(a.input, "/tmp/x")


if __name__ == "__main__":
    main()
