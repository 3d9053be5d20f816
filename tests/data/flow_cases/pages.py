# case: page built by a helper
from flask import Flask, request

app = Flask(__name__)


def page(title, body):
    return f"<html><h1>{title}</h1>{body}</html>"


@app.route("/hello")
def hello():
    return page("Hello", request.args.get("name", ""))  # expect: py/cross-site-scripting
# case: page with escaped body
from flask import Flask, request
from markupsafe import escape as clean

app = Flask(__name__)


@app.route("/hello")
def hello():
    name = clean(request.args.get("name", ""))
    return "<h1>Hello</h1>" + name
# case: plain text and JSON answers
import json
from flask import Flask, Response, jsonify, make_response, request

app = Flask(__name__)


@app.route("/text")
def text():
    return Response("hello " + request.args["name"], mimetype="text/plain")


@app.route("/text2")
def text2():
    answer = make_response(request.args["name"])
    answer.headers["Content-Type"] = "text/plain; charset=utf-8"
    return answer


@app.route("/json")
def data():
    return jsonify(name=request.args["name"])


@app.route("/dict")
def mapping():
    return {"name": request.args["name"]}
# case: Django answers
from django.http import HttpResponse, JsonResponse
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe


def bad(request):
    return HttpResponse("<p>" + request.GET.get("q", "") + "</p>")  # expect: py/cross-site-scripting


def worse(request):
    return mark_safe("<b>%s</b>" % request.POST["q"])  # expect: py/cross-site-scripting


def good(request):
    return HttpResponse(format_html("<p>{}</p>", request.GET.get("q", "")))


def fine(request):
    return HttpResponse("<p>" + escape(request.GET.get("q", "")) + "</p>")


def plain(request):
    return HttpResponse(request.GET.get("q", ""), content_type="text/plain")
# case: Markup formats with escaping
from flask import Flask, request
from markupsafe import Markup

app = Flask(__name__)


@app.route("/good")
def good():
    return Markup("<b>{}</b>").format(request.args["x"])


@app.route("/bad")
def bad():
    return Markup("<b>{}</b>".format(request.args["x"]))  # expect: py/cross-site-scripting
# case: FastAPI answers JSON unless told otherwise
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI()


@app.get("/a")
def a(name: str):
    return f"<p>{name}</p>"


@app.get("/b", response_class=HTMLResponse)
def b(name: str):
    return f"<p>{name}</p>"  # expect: py/cross-site-scripting


@app.get("/c")
def c(name: str):
    return HTMLResponse(content=f"<p>{name}</p>")  # expect: py/cross-site-scripting
# case: template text and template values
from flask import Flask, render_template, render_template_string, request

app = Flask(__name__)


@app.route("/1")
def one():
    return render_template_string("<p>" + request.args["x"] + "</p>")  # expect: py/cross-site-scripting


@app.route("/2")
def two():
    return render_template_string("<p>{{ x }}</p>", x=request.args["x"])


@app.route("/3")
def three():
    return render_template_string("<p>{{ x|safe }}</p>", x=request.args["x"])  # expect: py/cross-site-scripting


@app.route("/4")
def four():
    return render_template("four.html", x=request.args["x"])
# case: tornado handler
import html
import tornado.web


class Hello(tornado.web.RequestHandler):
    def get(self):
        name = self.get_argument("name")
        self.write("<p>" + html.escape(name) + "</p>")
        self.write("<p>" + name + "</p>")  # expect: py/cross-site-scripting
# case: http.server handler
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlparse


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        name = query.get("name", [""])[0]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<p>{name}</p>".encode())  # expect: py/cross-site-scripting
# case: environments of jinja
import jinja2
from jinja2 import Environment as Env, FileSystemLoader, Template, select_autoescape

ESCAPE = True
bad = Env(loader=FileSystemLoader("templates"))  # expect: py/template-without-escaping
good = Env(loader=FileSystemLoader("templates"), autoescape=ESCAPE)
fine = jinja2.Environment(autoescape=select_autoescape(["html"]))
worse = jinja2.Environment(autoescape=not ESCAPE)  # expect: py/template-without-escaping
single = Template("<p>{{ x }}</p>", autoescape=True)
plain = Template("<p>{{ x }}</p>")  # expect: py/template-without-escaping
# case: numbers and lookups in a page
from flask import Flask, request

app = Flask(__name__)
NAMES = {"1": "one"}


@app.route("/<int:number>")
def show(number):
    width = int(request.args.get("width", 3))
    label = NAMES.get(request.args.get("label"), "none")
    return f"<p style='width:{width}px'>{number} {label}</p>"
