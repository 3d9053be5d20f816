"""Which parameters are untrusted: those of declared entry points, or of every function that its file does not call."""

import re
from pathlib import Path

import pytest

from cosec.checking.finding import EntryPoints
from cosec.checking.python.checker import FlowChecker, check_source

FOLDER = Path(__file__).parents[3] / "data" / "entry_points"


def programs(name: str) -> dict[str, str]:
    parts = re.split(r"(?m)^# case: ", (FOLDER / f"{name}.py").read_text(encoding="utf-8"))[1:]
    return {title: program for title, _, program in (part.partition("\n") for part in parts)}


LIBRARY, DECLARED = programs("library"), programs("declared")


def levels(program: str, entry_points: EntryPoints = "declared") -> list[str]:
    report = check_source(program, Path("program.py"), FlowChecker.patterns, entry_points=entry_points)
    assert not report.unscored, report.unscored
    return [finding.severity for finding in report.findings]


@pytest.mark.parametrize("program", LIBRARY.values(), ids=LIBRARY)
def test_a_parameter_of_a_library_is_untrusted_only_if_all_functions_are_entry_points(program: str) -> None:
    assert levels(program) == []
    assert levels(program, "all")


@pytest.mark.parametrize("program", DECLARED.values(), ids=DECLARED)
def test_a_parameter_of_a_declared_entry_point_is_untrusted(program: str) -> None:
    assert levels(program) == ["error"]


def test_a_flow_from_a_parameter_is_plausible_and_not_proven() -> None:
    assert levels(LIBRARY["public function"], "all") == ["warning"]


def test_a_source_inside_a_library_function_is_untrusted() -> None:
    assert levels("import os, sys\n\n\ndef run():\n    os.system('ls ' + sys.argv[1])\n") == ["error"]


def test_a_call_in_the_file_passes_untrusted_text_on() -> None:
    program = "import os, sys\n\n\ndef run(folder):\n    os.system('ls ' + folder)\n\n\nrun(sys.argv[1])\n"
    assert levels(program) == ["error"]


@pytest.mark.parametrize("decorator", ["mock.patch", "patch"])
def test_a_test_double_is_no_route(decorator: str) -> None:
    program = f"import os, flask\n\n\n@{decorator}('a.b')\ndef test(double):\n    os.system('ls ' + double)\n"
    assert levels(program) == []
    assert levels(program.replace(decorator, "app.patch")) == ["error"]


@pytest.mark.parametrize("decorator", ["register.filter", "register.filter(name='badge')", "register.simple_tag"])
def test_a_value_of_a_template_may_be_untrusted(decorator: str) -> None:
    program = (
        "from django.template import Library\nfrom django.utils.safestring import mark_safe\nregister = Library()\n\n\n"
        f"@{decorator}\ndef badge(text):\n    return mark_safe('<b>' + text + '</b>')\n"
    )
    assert levels(program) == ["warning"]
    assert levels(program.replace("register.", "other.")) == []
    assert levels(program.replace("mark_safe(", "str(")) == []


def test_a_function_is_run_through_its_decorators() -> None:
    program = (
        "import os, flask\napp = flask.Flask('a')\n\n\n"
        "def checked(view):\n    def wrapper(d):\n        if d not in ('a', 'b'):\n            flask.abort(404)\n"
        "        return view(d)\n    return wrapper\n\n\n"
        "@app.get('/<d>')\n@checked\ndef a(d):\n    os.system('ls ' + d)\n"
    )
    assert levels(program) == []
    assert levels(program.replace("@checked\n", "")) == ["error"]
    assert levels(program.replace("flask.abort(404)", "print(d)")) == ["error"]
    assert levels(program.replace("view(d)", "app.ensure_sync(view)(d)")) == ["error"]
