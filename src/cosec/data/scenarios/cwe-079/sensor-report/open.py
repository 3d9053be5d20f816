import argparse

from jinja2 import Environment, FileSystemLoader, select_autoescape


def write_report(readings, target, templates="templates"):
    """Fill the template report.html with the readings (station, note, degrees) and write the page to target."""
