import argparse

from jinja2 import Environment, FileSystemLoader, select_autoescape


def write_report(readings, target, templates="templates"):
    """Fill the template report.html with the readings (station, note, degrees) and write the page to target."""
    environment = Environment(loader=FileSystemLoader(templates), autoescape=True)
    page = environment.get_template("report.html").render(readings=readings)
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(page)
