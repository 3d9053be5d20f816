# case: container remove
from flask import Flask, request
app = Flask(__name__)
@app.route("/x")
def x(cur):
    parts = ["a", "b"]
    parts.append(request.args["name"])
    parts.remove("a")
    cur.execute("SELECT '%s'" % parts[1])  # expect: py/sql-injection
# case: deque pop
from collections import deque
from flask import request
def x(cur):
    q = deque([], 5)
    q.appendleft(request.args["n"])
    while q:
        cur.execute(f"SELECT '{q.pop()}'")  # expect: py/sql-injection
# case: deque iter
import collections
from flask import request
def x(cur):
    q = collections.deque()
    q.append(request.args["n"])
    for item in q:
        cur.execute(f"SELECT '{item}'")  # expect: py/sql-injection
# case: queue thread
import queue, threading
from flask import request
jobs = queue.Queue()
def worker(cur):
    while True:
        name = jobs.get()
        cur.execute(f"SELECT '{name}'")  # expect: py/sql-injection
        jobs.task_done()
def x():
    jobs.put(request.args["n"])
threading.Thread(target=worker, daemon=True).start()
# case: queue tuple
import queue
from flask import request
def x(cur):
    q = queue.PriorityQueue()
    q.put((1, request.args["n"]))
    prio, name = q.get()
    cur.execute(f"SELECT '{name}'")  # expect: py/sql-injection
    cur.execute(f"SELECT {prio}")
# case: asyncio queue
import asyncio
from aiohttp import web
async def x(request):
    q = asyncio.Queue()
    await q.put(request.query["n"])
    name = await q.get()
    await request.app["db"].execute(f"SELECT '{name}'")  # expect: py/sql-injection
# case: defaultdict dict
from collections import defaultdict
from flask import request
def x(cur):
    d = defaultdict(dict)
    d["a"]["b"] = request.args["n"]
    cur.execute(f"SELECT '{d['a']['b']}'")  # expect: py/sql-injection
# case: counter
from collections import Counter
from flask import request
def x(cur):
    c = Counter(request.args.getlist("n"))
    for name, count in c.most_common(3):
        cur.execute(f"SELECT '{name}'")  # expect: py/sql-injection
# case: chainmap
from collections import ChainMap
from flask import request
def x(cur):
    c = ChainMap(request.args, {"n": "a"})
    cur.execute(f"SELECT '{c['n']}'")  # expect: py/sql-injection
# case: namedtuple
from collections import namedtuple
from flask import request
P = namedtuple("P", "name size")
def x(cur):
    p = P(request.args["n"], 3)
    cur.execute(f"SELECT '{p.name}'")  # expect: py/sql-injection
# case: configparser section item
import configparser
from flask import request
def x(cur):
    c = configparser.ConfigParser()
    c.read_dict({"u": {"name": request.args["n"]}})
    cur.execute(f"SELECT '{c['u']['name']}'")  # expect: py/sql-injection
# case: configparser uploaded
import configparser, io
from flask import request
def x(cur):
    c = configparser.ConfigParser()
    c.read_file(io.StringIO(request.files["f"].read().decode()))
    cur.execute(f"SELECT '{c.get('u', 'name')}'")  # expect: py/sql-injection
# case: kw get via partial
import functools
from flask import request
def find(cur, **kw):
    cur.execute("SELECT '%s'" % kw.get("name"))  # expect: py/sql-injection
def x(cur):
    functools.partial(find, cur)(**request.args.to_dict())
# case: kw param default
from flask import request
def find(cur, name="a", limit=10):
    cur.execute("SELECT '%s'" % name)  # expect: py/sql-injection
def x(cur):
    find(cur, **request.get_json())
# case: kw passed on
from flask import request
def inner(cur, name):
    cur.execute("SELECT '%s'" % name)  # expect: py/sql-injection
def outer(cur, **kw):
    inner(cur, **kw)
def x(cur):
    outer(cur, **request.form)
# case: kw merge
from flask import request
def x(cur):
    opts = {"a": "b", **request.form}
    cur.execute("SELECT '%s'" % opts["name"])  # expect: py/sql-injection
# case: args star
from flask import request
def find(cur, *names):
    cur.execute("SELECT '%s'" % names[0])  # expect: py/sql-injection
def x(cur):
    find(cur, *request.args.getlist("n"))
# case: kubectl exec
import subprocess
from flask import request
def x():
    cmd = ["kubectl", "exec", "pod", "--"]
    cmd += ["/bin/sh", "-c", f"cat {request.args['f']}"]
    return subprocess.check_output(cmd)  # expect: py/command-injection
# case: ssh host sh -c
import subprocess
from flask import request
def x():
    args = ["ssh", "host"]
    args.append("ls " + request.args["d"])
    subprocess.Popen(args)  # expect: py/command-injection
# case: env sh -c
import subprocess
from flask import request
def x():
    args = ["env", "A=1"]
    args.insert(len(args), "sh")
    args.extend(("-c", "ls " + request.args["d"]))
    subprocess.Popen(args)  # expect: py/command-injection
# case: os.execvp list
import os
from flask import request
def x():
    argv = ["sh"]
    argv.append("-c")
    argv.append("ls " + request.args["d"])
    os.execvp("sh", argv)  # expect: py/command-injection
# case: asyncio exec starred
import asyncio
from aiohttp import web
async def x(request):
    argv = ["docker", "run", "img"]
    argv += ["sh", "-c", "ls " + request.query["d"]]
    await asyncio.create_subprocess_exec(*argv)  # expect: py/command-injection
# case: key error page
from flask import Flask, request
app = Flask(__name__)
@app.route("/x")
def x():
    d = {"a": 1}
    try:
        return str(d[request.args["k"]])
    except KeyError as e:
        return "<b>missing " + str(e) + "</b>"  # expect: py/cross-site-scripting
# case: float error
from flask import Flask, request, make_response
app = Flask(__name__)
@app.route("/x")
def x():
    try:
        v = float(request.args["k"])
    except ValueError as exc:
        return make_response(f"<i>{exc!s}</i>", 400)  # expect: py/cross-site-scripting
    return str(v)
# case: django error
from django.http import HttpResponse, HttpResponseBadRequest
def view(request):
    try:
        n = int(request.GET["n"])
    except Exception as e:
        return HttpResponseBadRequest("bad: %s" % e)  # expect: py/cross-site-scripting
    return HttpResponse(str(n))
# case: traceback page
import traceback
from flask import Flask, request
app = Flask(__name__)
@app.route("/x")
def x():
    try:
        int(request.args["n"])
    except ValueError:
        return "<pre>" + traceback.format_exc() + "</pre>"  # expect: py/cross-site-scripting
    return "ok"
# case: streamlit sql
import streamlit as st
import sqlite3
def page():
    q = st.text_input("q")
    sqlite3.connect("a").execute(f"select * from t where a='{q}'")  # expect: py/sql-injection
page()
# case: streamlit shell
import streamlit as st, os
with st.sidebar:
    host = st.text_input("host", "localhost")
if st.button("ping"):
    os.system(f"ping {host}")  # expect: py/command-injection
# case: st markdown
import streamlit as st
name = st.text_input("n")
st.markdown(f"<b>{name}</b>", unsafe_allow_html=True)  # expect: py/cross-site-scripting
st.markdown(f"**{name}**")
# case: gradio
import gradio as gr
import os
def run(cmd):
    os.system("ls " + cmd)  # expect: py/command-injection
gr.Interface(fn=run, inputs="text", outputs="text").launch()
# case: pika callback
import pika, os
def on_job(ch, method, properties, body):
    os.system("convert " + body.decode())  # expect: py/command-injection
c = pika.BlockingConnection().channel()
c.basic_consume("q", on_job)
c.start_consuming()
# case: paho
import paho.mqtt.client as mqtt
import os
def on_message(client, userdata, msg):
    os.system("say " + msg.payload.decode())  # expect: py/command-injection
client = mqtt.Client()
client.on_message = on_message
client.loop_forever()
# case: celery
from celery import Celery
import os
app = Celery("a")
@app.task
def convert(name):
    os.system("convert " + name)  # expect: py/command-injection
# case: sqs lambda
import json, os
def lambda_handler(event, context):
    for record in event["Records"]:
        os.system("convert " + record["body"])  # expect: py/command-injection
# case: imap subject
import imaplib, email
def run(cur):
    m = imaplib.IMAP4("h")
    typ, data = m.fetch("1", "(RFC822)")
    msg = email.message_from_string(data[0][1].decode())
    cur.execute("INSERT INTO mails VALUES ('" + msg["subject"] + "')")  # expect: py/sql-injection
# case: mail attachment path
import email, os
from pathlib import Path
def save(raw):
    msg = email.message_from_bytes(raw)
    for part in msg.walk():
        name = part.get_filename()
        if name:
            Path("/srv", name).write_bytes(part.get_payload(decode=True))  # expect: py/path-traversal
# case: env subprocess
import subprocess, os
def main():
    subprocess.run("tar xf %s" % os.environ["ARCHIVE"], shell=True)  # expect: py/command-injection
# case: env popen default
import os
def main():
    target = os.environ.get("TARGET", "all")
    os.popen("make " + target)  # expect: py/command-injection
# case: env quoted
import os, shlex
def main():
    os.system("tar xf " + shlex.quote(os.getenv("ARCHIVE")))
# case: callbacks of message modules
import os

from google.cloud import pubsub_v1


def convert(message):
    os.system("convert " + message.data.decode())  # expect: py/command-injection
    message.ack()


def count(message):
    os.system(f"echo {len(message.data)}")


subscriber = pubsub_v1.SubscriberClient()
subscriber.subscribe("projects/a/subscriptions/b", callback=convert)
subscriber.subscribe("projects/a/subscriptions/c", callback=count)
