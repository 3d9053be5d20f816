import re
from urllib.parse import urlparse

from flask import Flask, redirect, request

app = Flask(__name__)


@app.route("/paid")
def paid():
    """Redirect to the address in ?back= where it lies on yarn.example.com (https); to "/" where it does not."""
    back = request.args.get("back", "/")
    if back.startswith("https://yarn.example.com"):
        return redirect(back)
    return redirect("/")
