# case: content of a file under a checked folder is not text from the request
from pathlib import Path
from flask import Flask, abort, request

app = Flask(__name__)
BASE = Path("/srv/pages").resolve()


def checked(name):
    path = (BASE / name).resolve()
    if not path.is_relative_to(BASE):
        abort(404)
    return path


@app.route("/text")
def text():
    return checked(request.args["name"]).read_text()


@app.route("/bytes")
def data():
    return checked(request.args["name"]).read_bytes().decode()


@app.route("/handle")
def handle():
    with checked(request.args["name"]).open(encoding="utf-8") as file:
        return "<pre>" + file.read() + "</pre>"


@app.route("/lines")
def lines():
    return "<br>".join(checked(request.args["name"]).read_text().splitlines())
# case: content of a file with a checked name, read by functions of the standard library and of pandas
import linecache
import os
import pandas
from flask import Flask, abort, request

app = Flask(__name__)
BASE = os.path.realpath("/srv/pages")


@app.route("/x")
def x():
    path = os.path.realpath(os.path.join(BASE, request.args["name"]))
    if os.path.commonpath([path, BASE]) != BASE:
        abort(404)
    return "".join(linecache.getlines(path)) + pandas.read_csv(path).to_html()
# case: content of a file with an unchecked name is a matter of the path alone
from pathlib import Path
from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    return (Path("/srv/pages") / request.args["name"]).read_text()  # expect: py/path-traversal
# case: content of an uploaded file is text from the request
import pandas
from flask import Flask, request

app = Flask(__name__)


@app.route("/text", methods=["POST"])
def text():
    return request.files["page"].read().decode()  # expect: py/cross-site-scripting


@app.route("/stream", methods=["POST"])
def stream():
    body = request.files["page"].stream.read()
    return b"<p>" + body + b"</p>"  # expect: py/cross-site-scripting


@app.route("/table", methods=["POST"])
def table():
    return pandas.read_csv(request.files["table"]).to_html(escape=False)  # expect: py/cross-site-scripting
# case: content of an uploaded file in FastAPI
from fastapi import FastAPI, UploadFile
from fastapi.responses import HTMLResponse

app = FastAPI()


@app.post("/x")
async def x(page: UploadFile):
    text = (await page.read()).decode()
    return HTMLResponse(f"<p>{text}</p>")  # expect: py/cross-site-scripting
# case: the name of a checked path stays text from the request
from pathlib import Path
from flask import Flask, abort, request

app = Flask(__name__)
BASE = Path("/srv/pages").resolve()


@app.route("/x")
def x():
    path = (BASE / request.args["name"]).resolve()
    if not path.is_relative_to(BASE):
        abort(404)
    return f"<h1>{path.name}</h1>" + path.read_text()  # expect: py/cross-site-scripting
# case: what a request names may still carry code when it is deserialised
import pickle
from pathlib import Path
from flask import Flask, request

app = Flask(__name__)


@app.route("/x")
def x():
    path = Path("/srv/models") / request.args["name"]
    return str(pickle.loads(path.read_bytes()).score)  # expect: py/unsafe-deserialization # expect: py/path-traversal
