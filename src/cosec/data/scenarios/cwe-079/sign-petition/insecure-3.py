from flask import Flask, render_template_string, request
from markupsafe import escape

app = Flask(__name__)
SIGNATURES = []


@app.post("/petition")
def sign():
    """Store the signature and answer with a page: <h1>Thank you, NAME!</h1> and the number of signatures."""
    name = request.form["name"]
    SIGNATURES.append(name)
    return render_template_string(
        "<h1>Thank you, " + name + "!</h1><p>{{ count }} signatures so far</p>", count=len(SIGNATURES)
    )
