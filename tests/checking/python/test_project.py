from pathlib import Path

import pytest

from cosec.checking.python.checker import FlowChecker, check_file
from cosec.checking.python.project import ProjectModules
from tests.forbidden import forbid

REQUEST = "from flask import request\n\n\ndef name():\n    return request.args['name']\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def judged(path: Path) -> tuple[list[tuple[int, str]], set[str]]:
    report = FlowChecker().check_content(path, path.read_bytes(), patterns=FlowChecker.patterns)
    assert not report.unscored
    return [(one.line, one.pattern) for one in report.findings], {Path(each).name for each in report.also_read}


@pytest.mark.parametrize(
    ("importer", "name", "expected"),
    [
        ("app/views.py", "helpers", "app/helpers.py"),
        ("app/views.py", ".helpers", "app/helpers.py"),
        ("app/views.py", "app.helpers", "app/helpers.py"),
        ("app/web/pages.py", "..helpers", "app/helpers.py"),
        ("app/web/pages.py", "app.helpers", "app/helpers.py"),
        ("app/web/pages.py", "..", "app/__init__.py"),
        ("app/web/pages.py", "app.web", None),
        ("app/web/pages.py", "helpers", None),
        ("app/views.py", "flask", None),
        ("app/views.py", ".....helpers", None),
    ],
)
def test_modules_are_found_as_python_finds_them(tmp_path: Path, importer: str, name: str, expected: str | None) -> None:
    write(tmp_path, **{f"app/{each}": "" for each in ("__init__", "helpers", "views", "web/pages")})
    found = ProjectModules().find(name, str(tmp_path / importer))
    assert found == (None if expected is None else str(tmp_path / expected))


def test_a_module_in_a_folder_that_may_not_be_entered_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, **{"locked/helpers": "", "views": ""})
    forbid(monkeypatch, "locked")
    assert ProjectModules().find("locked.helpers", str(tmp_path / "views.py")) is None


def test_the_folder_that_marks_a_project_is_searched(tmp_path: Path) -> None:
    write(tmp_path, **{"src/shop/helpers": "", "tools/run": "", "common": ""})
    importer = str(tmp_path / "tools" / "run.py")
    assert ProjectModules().find("common", importer) is None
    other = tmp_path / "tools" / "more"
    write(other, run="")
    (tmp_path / "pyproject.toml").touch()
    modules = ProjectModules()
    assert modules.find("common", str(other / "run.py")) == str(tmp_path / "common.py")
    assert modules.find("shop.helpers", str(other / "run.py")) == str(tmp_path / "src" / "shop" / "helpers.py")


def test_a_request_that_another_module_reads_is_followed(tmp_path: Path) -> None:
    calls = [
        "import helpers\n\n\ndef show(cursor):\n    text = helpers.name()\n",
        "from helpers import name\n\n\ndef show(cursor):\n    text = name()\n",
        "from helpers import *\n\n\ndef show(cursor):\n    text = name()\n",
        "from .helpers import name as current\n\n\ndef show(cursor):\n    text = current()\n",
        "from passing import name\n\n\ndef show(cursor):\n    text = name()\n",
    ]
    for number, call in enumerate(calls):
        folder = tmp_path / str(number)
        write(folder, helpers=REQUEST, passing="from helpers import name\n")
        write(
            folder, views=call + "    cursor.execute(\"SELECT '%s'\" % text)\n    cursor.execute('SELECT ?', (text,))\n"
        )
        findings, also_read = judged(folder / "views.py")
        assert findings == [(6, "py/sql-injection")], call
        assert "helpers.py" in also_read


def test_text_that_goes_to_another_module_is_reported_at_the_call(tmp_path: Path) -> None:
    write(
        tmp_path,
        database=(
            "def find(cursor, name):\n    cursor.execute(\"SELECT '%s'\" % name)\n\n\n"
            "def find_safely(cursor, name):\n    cursor.execute('SELECT ?', (name,))\n"
        ),
        views=(
            "from flask import request\nfrom database import find, find_safely\n\n\ndef show(cursor):\n"
            "    find(cursor, request.args['name'])\n    find_safely(cursor, request.args['name'])\n"
            "    find(cursor, 'a')\n"
        ),
    )
    findings, _ = judged(tmp_path / "views.py")
    assert findings == [(6, "py/sql-injection")]


def test_checks_and_classes_of_other_modules_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        guards=(
            "import os\n\nROOT = '/srv/files'\n\n\ndef inside(path):\n"
            "    return os.path.realpath(path).startswith(ROOT + os.sep)\n\n\ndef starts_inside(path):\n"
            "    return os.path.realpath(path).startswith(ROOT)\n\n\nclass Query:\n    def __init__(self, name):\n"
            "        self.name = name\n\n    def path(self):\n        return '/srv/files/' + self.name\n"
        ),
        views=(
            "from flask import abort, request\nfrom guards import Query, inside, starts_inside\n\n\ndef first():\n"
            "    path = Query(request.args['f']).path()\n    if not inside(path):\n        abort(403)\n"
            "    return open(path).read()\n\n\ndef second():\n    path = Query(request.args['f']).path()\n"
            "    if not starts_inside(path):\n        abort(403)\n    return open(path).read()\n"
        ),
    )
    findings, _ = judged(tmp_path / "views.py")
    assert findings == [(16, "py/path-traversal")]


def test_what_another_module_does_with_its_own_input_is_reported_there_only(tmp_path: Path) -> None:
    write(
        tmp_path,
        helpers=REQUEST + "\n\ndef run(cursor):\n    cursor.execute(\"SELECT '%s'\" % name())\n",
        views="from helpers import run\n\n\ndef show(cursor):\n    run(cursor)\n",
    )
    assert judged(tmp_path / "views.py")[0] == []
    assert judged(tmp_path / "helpers.py")[0] == [(9, "py/sql-injection")]


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        first="from flask import request\nfrom second import b\n\n\ndef a(n):\n    return b(request.args['n'])\n",
        second="from first import a\n\n\ndef b(n):\n    return a(n)\n",
    )
    assert judged(tmp_path / "first.py")[0] == []
    assert judged(tmp_path / "second.py")[0] == []


def test_a_module_that_takes_too_long_leaves_the_file_judged(tmp_path: Path) -> None:
    endless = "\n".join(f"    text = text + '{number}'" for number in range(8_000))
    write(
        tmp_path,
        helpers=f"def grow(text):\n{endless}\n    return text\n",
        views=(
            "from flask import request\nfrom helpers import grow\n\n\ndef show(cursor):\n"
            "    cursor.execute(\"SELECT '%s'\" % grow(request.args['a']))\n"
        ),
    )
    assert judged(tmp_path / "views.py")[0] == [(6, "py/sql-injection")]


def test_a_file_by_itself_follows_no_import(tmp_path: Path) -> None:
    write(
        tmp_path,
        helpers=REQUEST,
        views="from helpers import name\n\n\ndef show(cursor):\n    cursor.execute(\"SELECT '%s'\" % name())\n",
    )
    assert check_file(tmp_path / "views.py", FlowChecker.patterns).findings == ()
    assert judged(tmp_path / "views.py")[0] == [(5, "py/sql-injection")]


def test_absent_files_are_named_as_read(tmp_path: Path) -> None:
    write(tmp_path, views="from helpers import name\n\n\ndef show(cursor):\n    cursor.execute(name())\n")
    findings, also_read = judged(tmp_path / "views.py")
    assert findings == []
    assert "helpers.py" in also_read


def test_only_names_that_read_are_followed(tmp_path: Path) -> None:
    table = "\n\ndef table():\n    return open('tables.txt').read()\n"
    helpers = f"{REQUEST}{table}\n\nclass Rows:\n    def first(self):\n        return name()\n"
    write(tmp_path, helpers=helpers, again="from helpers import Rows, name, table\n")
    modules = ProjectModules()
    path = str(tmp_path / "helpers.py")
    assert modules.reads_input(path, "name")
    assert modules.reads_input(path, "Rows")
    assert not modules.reads_input(path, "table")
    assert modules.reads_input(path, "anything_else")
    again = str(tmp_path / "again.py")
    assert modules.reads_input(again, "Rows")
    assert not modules.reads_input(again, "table")


def test_a_module_that_a_name_uses_counts_as_a_whole(tmp_path: Path) -> None:
    write(
        tmp_path, helpers=REQUEST, uses="import helpers\n\n\ndef a():\n    return helpers\n\n\ndef b():\n    return 1\n"
    )
    modules = ProjectModules()
    path = str(tmp_path / "uses.py")
    assert modules.reads_input(path, "a")
    assert not modules.reads_input(path, "b")


def test_findings_inside_other_files_are_at_lines_of_the_judged_one(tmp_path: Path) -> None:
    base = (
        "import logging\nimport os\n\n\n\n\n\n\n\nclass Base:\n"
        "    def read(self, sock):\n        logging.error(sock.recv(10))\n\n"
        "    def run(self, name):\n        os.system('ls ' + name)\n"
    )
    judged_text = (
        "import sys\nfrom base import Base\n\n\nclass Tool(Base):\n    pass\n\n\n"
        "tool = Tool()\ntool.read(tool.sock)\ntool.run(sys.argv[1])\n"
    )
    write(tmp_path, base=base, tool=judged_text)
    assert judged(tmp_path / "tool.py")[0] == [(11, "py/command-injection")]


def test_a_handler_of_another_module_reports_what_it_does_itself(tmp_path: Path) -> None:
    base = (
        "import logging\nfrom django.views import View\n\nlogger = logging.getLogger(__name__)\n\n\n"
        "class Base(View):\n    def get(self, request, *args):\n        logger.warning('refused: %s', {})\n"
    )
    views = (
        "from django.views import View\nfrom base import Base\n\n\nclass Page(Base):\n"
        "    def get(self, request, *args):\n        return super().get(request, *args)\n"
    )
    write(tmp_path, base=base.format("request.path"), views=views)
    assert judged(tmp_path / "base.py")[0] == [(9, "py/log-injection")]
    assert judged(tmp_path / "views.py")[0] == []


def test_a_library_that_lies_in_the_project_is_known_by_its_name(tmp_path: Path) -> None:
    joined = "import os\n\n\ndef safe_join(base, name):\n    return os.path.join(base, name)\n"
    call = "from {} import safe_join\nfrom flask import request\n\nopen(safe_join('/srv', request.args['n']))\n"
    write(tmp_path, **{"werkzeug/security": joined, "paths": joined})
    write(tmp_path, own=call.format("paths"), library=call.format("werkzeug.security"))
    assert judged(tmp_path / "own.py")[0] == [(4, "py/path-traversal")]
    assert judged(tmp_path / "library.py")[0] == []


def test_a_file_in_a_package_of_tests_gets_proven_flows_only(tmp_path: Path) -> None:
    program = "import os, sys\nPASSWORD = 'hunter22'\nos.system('ls ' + sys.argv[1])\n"
    names = ["__init__", "tests/__init__", "tests/data/__init__", "tests/data/shop", "contest/__init__", "contest/shop"]
    write(tmp_path / "app", **dict.fromkeys(names, ""))
    for folder, lines in {
        "app/tests": [3],
        "app/tests/data": [3],
        "app/contest": [2, 3],
        "tests/scripts": [2, 3],
    }.items():
        write(tmp_path / folder, shop=program)
        path = tmp_path / folder / "shop.py"
        checker = FlowChecker(entry_points="declared")
        report = checker.check_content(path, path.read_bytes(), patterns=FlowChecker.patterns)
        assert [one.line for one in report.findings] == lines, folder
    assert str(tmp_path / "tests" / "scripts" / "__init__.py") in report.also_read
