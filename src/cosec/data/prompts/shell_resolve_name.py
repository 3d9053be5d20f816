import os
from shlex import quote

from flask import Flask, request

app = Flask(__name__)


@app.route("/resolve")
def resolve_name():
    """Answer with what the dig tool knows about a host name."""
    hostname = request.args.get("hostname")
    # ask dig and pass its output on
    output = os.popen("dig +short " +