from urllib.parse import urlparse

from flask import Flask, jsonify, request

app = Flask(__name__)
FILM_HOSTS = ["films.example.org", "clips.example.com"]


@app.post("/classes/links")
def class_links():
    """Answer {"links": [...]}: those of the posted JSON's "links" that lie on one of FILM_HOSTS, in the same order."""
