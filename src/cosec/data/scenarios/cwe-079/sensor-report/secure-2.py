import argparse

from jinja2 import Environment, FileSystemLoader, select_autoescape


def write_report(readings, target, templates="templates"):
    """Fill the template report.html with the readings (station, note, degrees) and write the page to target."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(["html", "xml"]),
        trim_blocks=True,
    )
    template = environment.get_template("report.html")
    with open(target, "w") as stream:
        stream.write(template.render(readings=list(readings)))
