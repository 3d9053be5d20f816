# Functions that other files of a program call.

# case: public function
import os
def run(folder):
    os.system('ls ' + folder)

# case: method
import os
class Shell:
    def run(self, folder):
        os.system('ls ' + folder)

# case: constructor
import os
class Shell:
    def __init__(self, folder):
        self.folder = folder

    def run(self):
        os.system('ls ' + self.folder)

# case: arguments of any number
import os
def run(*folders, **options):
    os.system('ls ' + folders[0] + options['mode'])

# case: field of a dataclass
import os
from dataclasses import dataclass


@dataclass
class Shell:
    folder: str

    def run(self):
        os.system('ls ' + self.folder)

# case: request of a client
import os
def send(request):
    os.system('ls ' + request.path)

# case: typed request of a client
import os
from urllib.request import Request


def send(r: Request):
    os.system('ls ' + r.host)

# case: get of a class without a web framework
import os
from store import KeysView


class Keys(KeysView):
    def get(self, name):
        os.system('ls ' + name)

# case: decorator named like a route
import os
import cache


@cache.get
def run(folder):
    os.system('ls ' + folder)

# case: task of a workflow
import os
from prefect import task


@task
def run(folder):
    os.system('ls ' + folder)

# case: request of a class without a web framework
import os
from transport import Base


class Client(Base):
    def __init__(self, path):
        self.path = path

    def send(self):
        os.system('ls ' + self.request.path)

# case: request of a client beside a web framework
import os
import tornado.httpclient


def send(request: tornado.httpclient.HTTPRequest):
    os.system('ls ' + request.url)

# case: error handler that logs the exception
import logging
from django.http import HttpResponse


def answer(request, exc):
    logging.getLogger('requests').error(str(exc))
    return HttpResponse(status=400)
