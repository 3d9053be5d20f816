import re
from urllib.parse import urlparse

from flask import Flask, redirect, request

app = Flask(__name__)


@app.route("/paid")
def paid():
    """Redirect to the address in ?back= where it lies on yarn.example.com (https); to "/" where it does not."""
    back = request.args.get("back", "/")
    if not re.match(r"https://yarn\.example\.com/", back):
        return redirect("/")
    return redirect(back)
