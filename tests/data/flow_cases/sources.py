# case: arguments that flask_restful reads
from flask_restful import Resource, reqparse

parser = reqparse.RequestParser()
parser.add_argument("name", type=str, required=True)
parser.add_argument("number", type=int, default=1)
parser.add_argument("kind", choices=("a", "b"))


class Users(Resource):
    def get(self):
        args = parser.parse_args()
        db.execute("SELECT * FROM t WHERE n = %s" % args["number"])
        db.execute("SELECT * FROM t WHERE n = '%s'" % args.kind)
        db.execute("SELECT * FROM t WHERE n = '%s'" % args["name"])  # expect: py/sql-injection
        db.execute("SELECT * FROM t WHERE n = '%s'" % args.get("name"))  # expect: py/sql-injection
        db.execute("SELECT * FROM t WHERE n = '%s'" % args.name)  # expect: py/sql-injection
        db.execute("SELECT * FROM t WHERE n = ?", (args["name"],))
# case: widgets of streamlit
import sqlite3

import streamlit as st
from streamlit import sidebar

connection = sqlite3.connect("a.db")
left, right = st.columns(2)
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.text_area("Name"))  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.sidebar.text_input("Name"))  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % sidebar.text_input("Name"))  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % left.text_input("Name"))  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.query_params["name"])  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.query_params.get("name", "a"))  # expect: py/sql-injection
st.text_input("Name", key="name")
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.session_state["name"])  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.session_state.name)  # expect: py/sql-injection
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.session_state.page)
connection.execute("SELECT * FROM t WHERE n = %d" % st.number_input("Number"))
connection.execute("SELECT * FROM t WHERE n = '%s'" % st.selectbox("Kind", ["a", "b"]))
connection.execute("SELECT * FROM t WHERE n = ?", (st.text_input("Name"),))
with st.form("f"):
    if prompt := st.chat_input("Say"):
        connection.execute(f"SELECT * FROM t WHERE n = '{prompt}'")  # expect: py/sql-injection
# case: uploads of streamlit
import os

import streamlit as st

upload = st.file_uploader("File")
if upload is not None:
    with open(os.path.join("/srv/up", upload.name), "wb") as file:  # expect: py/path-traversal
        file.write(upload.getbuffer())
    with open(os.path.join("/srv/up", os.path.basename(upload.name)), "wb") as file:
        file.write(upload.getbuffer())
# case: consumers of kafka
import json
import sqlite3

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer
from kafka import KafkaConsumer

consumer = KafkaConsumer("jobs", value_deserializer=lambda raw: json.loads(raw))


def each_message():
    for message in consumer:
        sqlite3.connect("a.db").execute(f"UPDATE t SET a = 1 WHERE n = '{message.value['n']}'")  # expect: py/sql-injection
        sqlite3.connect("a.db").execute("UPDATE t SET a = 1 WHERE n = ?", (message.value["n"],))


def batches():
    for records in consumer.poll(timeout_ms=100).values():
        for record in records:
            sqlite3.connect("a.db").execute(f"UPDATE t SET a = 1 WHERE n = '{record.value}'")  # expect: py/sql-injection


def confluent():
    consumer = Consumer({"group.id": "a"})
    consumer.subscribe(["jobs"])
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        name = message.value().decode("utf-8")
        sqlite3.connect("a.db").execute(f"UPDATE t SET a = 1 WHERE n = '{name}'")  # expect: py/sql-injection


async def asynchronous():
    consumer = AIOKafkaConsumer("jobs")
    await consumer.start()
    async for message in consumer:
        number = int(message.key)
        sqlite3.connect("a.db").execute(f"UPDATE t SET a = 1 WHERE n = {number}")
        sqlite3.connect("a.db").execute(f"UPDATE t SET a = 1 WHERE n = '{message.value}'")  # expect: py/sql-injection
# case: other queues of messages
import json
import os

import boto3
import pika
import redis


def sqs(client):
    for message in client.receive_message(QueueUrl="u").get("Messages", []):
        os.system("convert " + json.loads(message["Body"])["file"])  # expect: py/command-injection


def resource():
    queue = boto3.resource("sqs").get_queue_by_name(QueueName="q")
    for message in queue.receive_messages(MaxNumberOfMessages=10):
        os.system("convert " + message.body)  # expect: py/command-injection
        message.delete()


def rabbit():
    channel = pika.BlockingConnection().channel()
    for method, properties, body in channel.consume("jobs"):
        os.system("convert " + body.decode())  # expect: py/command-injection
    method, properties, body = channel.basic_get("jobs")
    os.system("convert " + body.decode())  # expect: py/command-injection


def published():
    subscription = redis.Redis().pubsub()
    subscription.subscribe("jobs")
    for message in subscription.listen():
        os.system("convert " + message["data"].decode())  # expect: py/command-injection


def popped():
    _, job = redis.Redis().blpop("jobs")
    os.system("convert " + job.decode())  # expect: py/command-injection
# case: mail
import email
import email.policy
import imaplib
import mailbox
import os
import poplib
from email.parser import BytesParser


def attachments(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.iter_attachments():
        with open(os.path.join("/srv/mail", part.get_filename()), "wb") as file:  # expect: py/path-traversal
            file.write(part.get_content())
        with open(os.path.join("/srv/mail", os.path.basename(part.get_filename())), "wb") as file:
            file.write(part.get_content())


def parsed():
    with open("/var/mail/new", "rb") as file:
        message = BytesParser().parse(file)
    os.system("notify-send " + message["Subject"])  # expect: py/command-injection


def fetched():
    box = imaplib.IMAP4_SSL("mail.example.com")
    box.select("INBOX")
    _, data = box.search(None, "UNSEEN")
    for number in data[0].split():
        _, parts = box.fetch(number, "(RFC822)")
        subject = email.message_from_bytes(parts[0][1])["Subject"]
        os.system(f"notify-send '{subject}'")  # expect: py/command-injection


def popped():
    server = poplib.POP3_SSL("mail.example.com")
    _, lines, _ = server.retr(1)
    os.system("notify-send " + lines[0].decode())  # expect: py/command-injection


def stored():
    for message in mailbox.mbox("/var/mail/me"):
        os.system("notify-send " + message["From"])  # expect: py/command-injection
# case: the environment
import os
import sqlite3
import subprocess

ARCHIVE = os.environ["ARCHIVE"]
ROOT = os.environ.get("ROOT", "/srv/files")


def unpack():
    os.system("tar xf " + ARCHIVE)  # expect: py/command-injection
    subprocess.run(f"tar xf {os.environ.get('ARCHIVE', 'a.tar')}", shell=True)  # expect: py/command-injection
    subprocess.run(["tar", "xf", ARCHIVE])


def edit():
    os.system(os.environ.get("EDITOR", "vi") + " notes.txt")
    os.system(os.getenv("EDITOR"))
    subprocess.run([os.environ["SHELL"], "-l"])


def settings():
    sqlite3.connect(os.environ["DATABASE"]).execute("SELECT * FROM %s" % os.environ["TABLE"])
    return open(os.path.join(ROOT, "a.txt")).read()


def allowed(request):
    from flask import request
    name = os.path.realpath(os.path.join(ROOT, request.args["f"]))
    if not name.startswith(os.path.realpath(ROOT) + os.sep):
        return "no"
    return open(name).read()


def token(request):
    from flask import request
    if request.headers["X-Kind"] == os.environ["KIND"]:
        return open("/srv/" + request.headers["X-Kind"]).read()
