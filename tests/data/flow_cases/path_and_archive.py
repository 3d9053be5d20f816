# case: joined path with a check on the raw text only
import os
from flask import request, send_file

ROOT = "/srv/files/"


def fetch():
    path = os.path.join(ROOT, request.args["name"])
    if not path.startswith(ROOT):
        return "no"
    return send_file(path)  # expect: py/path-traversal
# case: resolved path with is_relative_to
from pathlib import Path
from flask import request, abort

ROOT = Path("/srv/files").resolve()


def fetch():
    target = (ROOT / request.args["name"]).resolve()
    if not target.is_relative_to(ROOT):
        abort(404)
    return target.read_text()
# case: unresolved path with is_relative_to
from pathlib import Path
from flask import request, abort

ROOT = Path("/srv/files")


def fetch():
    target = ROOT / request.args["name"]
    if not target.is_relative_to(ROOT):
        abort(404)
    return target.read_text()  # expect: py/path-traversal
# case: relative_to raises
from pathlib import Path
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

app = FastAPI()
ROOT = Path("/srv/files").resolve()


@app.get("/files/{name:path}")
def fetch(name: str):
    target = (ROOT / name).resolve()
    try:
        target.relative_to(ROOT)
    except ValueError:
        raise HTTPException(404)
    return FileResponse(target)
# case: helper resolves and checks
import os
from flask import request

ROOT = "/srv/files"


def inside(root, name):
    full = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([full, root]) != root:
        raise PermissionError(name)
    return full


def fetch():
    with open(inside(ROOT, request.args["name"])) as stream:
        return stream.read()
# case: upload saved under the name that the client gave
import os
from flask import request


def upload():
    sent = request.files["file"]
    sent.save(os.path.join("/srv/uploads", sent.filename))  # expect: py/path-traversal
# case: upload saved under a cleaned name
import os
from flask import request
from werkzeug.utils import secure_filename


def upload():
    sent = request.files["file"]
    sent.save(os.path.join("/srv/uploads", secure_filename(sent.filename)))
# case: library functions: whole path, folder and name
import os


def read_all(path):
    with open(path) as stream:
        return stream.read()


def read_note(folder, title):
    with open(os.path.join(folder, title + ".md")) as stream:  # expect: py/path-traversal
        return stream.read()


def write_index(folder):
    with open(os.path.join(folder, "index.html"), "w") as stream:
        stream.write("")
# case: only the last part of the name
import os
import pathlib
from flask import request


def fetch():
    name = pathlib.PurePath(request.args["name"]).name
    return open(os.path.join("/srv", name)).read()
# case: dots removed in one pass
from flask import request


def fetch():
    name = request.args["name"].replace("../", "")
    return open("/srv/" + name).read()  # expect: py/path-traversal
# case: dots and roots refused
import os
from flask import request, abort


def fetch():
    name = request.args["name"]
    if ".." in name or name.startswith("/"):
        abort(400)
    return open(os.path.join("/srv", name)).read()
# case: extension checked but name free
import os
from flask import request, abort


def fetch():
    name = request.args["name"]
    extension = name.rsplit(".", 1)[-1]
    if extension not in {"png", "gif"}:
        abort(400)
    return open(os.path.join("/srv", name), "rb").read()  # expect: py/path-traversal
# case: tar members by generator
import os
import tarfile


def safe_members(archive, folder):
    for member in archive.getmembers():
        target = os.path.realpath(os.path.join(folder, member.name))
        if target.startswith(os.path.realpath(folder) + os.sep):
            yield member


def unpack(source, folder):
    with tarfile.open(source) as archive:
        archive.extractall(folder, members=safe_members(archive, folder))
# case: tar checked in a loop beforehand
import tarfile


def unpack(source, folder):
    archive = tarfile.open(source)
    for member in archive:
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise ValueError(member.name)
    archive.extractall(folder)
# case: tar checked for size only
import tarfile


def unpack(source, folder):
    with tarfile.open(source) as archive:
        for member in archive.getmembers():
            if member.size > 1_000_000:
                raise ValueError("too large")
        archive.extractall(folder)  # expect: py/archive-traversal
# case: tar passed to a helper
import tarfile


def dump(archive, folder):
    archive.extractall(path=folder)  # expect: py/archive-traversal


def unpack(source, folder):
    with tarfile.open(source, "r:gz") as archive:
        dump(archive, folder)
# case: zip members written by hand
import os
import zipfile


def unpack(source, folder):
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            with open(os.path.join(folder, name), "wb") as out:  # expect: py/archive-traversal
                out.write(archive.read(name))
# case: tar with the data filter from a variable
import tarfile

SAFE = "data"


def unpack(source, folder):
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter=SAFE)
