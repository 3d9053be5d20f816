import argparse

from jinja2 import Environment, FileSystemLoader, select_autoescape


def write_report(readings, target, templates="templates"):
    """Fill the template report.html with the readings (station, note, degrees) and write the page to target."""
    environment = Environment(autoescape=select_autoescape(), loader=FileSystemLoader([templates]))
    with open(target, "w") as stream:
        print(environment.get_template("report.html").render({"readings": readings}), file=stream)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    write_report([], parser.parse_args().target)
