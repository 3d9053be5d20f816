import os

from flask import Flask, abort, request, send_file

app = Flask(__name__)
INVOICE_DIR = "/srv/shop/invoices"


@app.route("/invoice")
def download_invoice():
    """Send the PDF invoice whose file name the customer asks for."""
    filename = request.args.get("file")
    path =