# case: aliases of module and function
import subprocess as sp
from os import system as shell
from flask import request


def ping():
    host = request.args["host"]
    shell("ping -c1 " + host)  # expect: py/command-injection
    sp.run(f"traceroute {host}", shell=True)  # expect: py/command-injection
    sp.run(["traceroute", host], check=True)
# case: list with a shell inside
import subprocess
from flask import request


def archive():
    folder = request.form.get("folder")
    command = ["bash", "-c", f"tar czf - {folder} | wc -c"]
    return subprocess.check_output(command)  # expect: py/command-injection
# case: shell switched on by a constant in a variable
import subprocess
import sys

OPTIONS = {"shell": True, "text": True}


def main():
    subprocess.run("du -sh " + sys.argv[1], **OPTIONS)  # expect: py/command-injection
# case: string split into words without a shell
import shlex
import subprocess


def convert(source, target):
    return subprocess.run(shlex.split("convert input.png output.jpg"), check=True, cwd=source)
# case: quoting through a wrapper
import os
import shlex
from flask import request


def safe(text):
    return shlex.quote(str(text))


def show():
    name = request.args.get("name")
    return os.popen("finger {0}".format(safe(name))).read()
# case: partial application of a shell call
import functools
import subprocess
from flask import request

in_shell = functools.partial(subprocess.run, shell=True, capture_output=True)


def look():
    return in_shell("ls " + request.args["d"]).stdout  # expect: py/command-injection
# case: constants only through a wrapper
import subprocess


def _run(command):
    return subprocess.check_output(command, shell=True, text=True)


def status():
    return _run("git status --short") + _run("git log -1")
# case: library function with its parameter in a shell command
import os


def make_thumbnail(source: str, width: int = 240) -> None:
    os.system(f"convert '{source}' -resize {width}x thumb.png")  # expect: py/command-injection
# case: asynchronous shell and asynchronous exec
import asyncio
from fastapi import FastAPI

app = FastAPI()


@app.post("/services/{name}")
async def restart(name: str):
    await asyncio.create_subprocess_exec("systemctl", "restart", name)
    process = await asyncio.create_subprocess_shell("systemctl status " + name)  # expect: py/command-injection
    await process.wait()
# case: allow list in an early return, use in a nested function
import os
from flask import request


def restart():
    name = request.args["name"]
    if name in {"web", "mail"}:
        def go():
            os.system("systemctl restart " + name)
        go()
        return "ok"
    return "unknown"
# case: remote shell over ssh
import paramiko


def tail(host, filename):
    client = paramiko.SSHClient()
    client.connect(host)
    _, out, _ = client.exec_command("tail -n 50 /var/log/%s" % filename)  # expect: py/command-injection
    return out.read()
# case: address parsed before use
import ipaddress
import subprocess
from flask import request


def ping():
    address = ipaddress.ip_address(request.args["address"])
    return subprocess.getoutput(f"ping -c1 {address}")
# case: characters filtered one by one
import os
from flask import request


def play():
    track = "".join(c for c in request.args["track"] if c.isalnum() or c in "-_")
    os.system("play /music/" + track + ".ogg")
# case: deny list with holes
import os
from flask import request


def play():
    track = request.args["track"]
    if ";" in track or "|" in track:
        return "no"
    os.system("play " + track)  # expect: py/command-injection
# case: match statement over the request
import os
from flask import request


def control():
    match request.args.get("action"):
        case "start":
            command = "service x start"
        case "stop":
            command = "service x stop"
        case other:
            command = f"service x {other}"
    os.system(command)  # expect: py/command-injection
# case: match statement with constants only
import os
from flask import request


def control():
    match request.args.get("action"):
        case "start" | "stop" as action:
            os.system(f"service x {action}")
        case _:
            return "no"
# case: commands in windows of terminals and of other users
import shlex
import subprocess


def window(session, path):
    subprocess.call(["tmux", "new-window", "-t", session, "less '%s'" % path])  # expect: py/command-injection


def quoted_window(session, path):
    subprocess.call(["tmux", "new-window", "-t", session, shlex.join(["less", "--", path])])
    subprocess.call(["tmux", "kill-window", "-t", f"{session}:0"])


def as_user(user, *words):
    subprocess.run(["su", "--command", " ".join(words), "--", user])  # expect: py/command-injection


def quoted_as_user(user, *words):
    subprocess.run(["su", "--command", shlex.join(words), "--", user])
# case: commands from settings
import os
import shlex
import subprocess


def encode(settings, track):
    command = settings.encoder.format(track=track)
    subprocess.run(command, shell=True)  # expect: py/command-injection


class Player:
    def encode(self, track):
        subprocess.run(self.settings["encoder"].format(track=track), shell=True)  # expect: py/command-injection

    def encode_words(self, track):
        words = [word.format(track=track) for word in shlex.split(self.settings["encoder"])]
        subprocess.run(words)
# case: a database that is a name
import os


def dump(database):
    return os.popen(f"sqlite3 {database} .dump")  # expect: py/command-injection


def named(database):
    return os.popen(f"sqlite3 {database.host} .dump")
# case: tasks of fabric
import shlex

from fabric import task


@task
def unpack(c, archive):
    c.run(f"tar -xzf {archive}")  # expect: py/command-injection
    c.run(f"tar -xzf {shlex.quote(archive)}")
# case: methods of handlers without their class
import os
from urllib.parse import parse_qs, urlsplit


def do_GET(self):
    name = parse_qs(urlsplit(self.path).query)["name"][0]
    os.system(f"finger {name}")  # expect: py/command-injection


def answer(self):
    name = self.rfile.readline().decode()
    self.wfile.write(os.popen(f"finger {name}").read().encode())  # expect: py/command-injection


def other(self):
    os.system(f"finger {self.path}")
# case: programs of awk
import os
import subprocess


def second(product):
    subprocess.run(["awk", "-F", ";", '$1 == "%s" {print $2}' % product])  # expect: py/command-injection


def by_environment(product):
    program = '$1 == ENVIRON["PRODUCT"] {print $2}'
    subprocess.run(["awk", program, f"{product}.csv"], env={**os.environ, "PRODUCT": product})
