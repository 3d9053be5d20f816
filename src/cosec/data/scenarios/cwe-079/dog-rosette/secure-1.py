from flask import Flask, render_template_string, request
from markupsafe import Markup, escape

app = Flask(__name__)
SCREEN = "<main>{{ rosette }}</main>"


@app.get("/rosette")
def show_rosette():
    place = request.args.get("place", 1, type=int)
    return render_template_string(SCREEN, rosette=rosette(place, request.args["dog"]))


def rosette(place, dog):
    """Return the Markup of a rosette: <span class="rosette">PLACE. DOG</span>."""
    return Markup(f'<span class="rosette">{place}. {escape(dog)}</span>')
