from flask import Flask, render_template_string, request
from markupsafe import escape

app = Flask(__name__)
SIGNATURES = []


@app.post("/petition")
def sign():
    """Store the signature and answer with a page: <h1>Thank you, NAME!</h1> and the number of signatures."""
    name = request.form["name"]
    SIGNATURES.append(name)
    return "<h1>Thank you, %s!</h1><p>Signatures: %d</p>" % (name.strip(), len(SIGNATURES))
