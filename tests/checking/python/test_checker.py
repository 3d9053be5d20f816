"""The flow checker on labelled programs, on the labelled completions beside the repository, and at its limits."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosec.checking.python.checker import FlowChecker, check_source
from cosec.checking.time_limit import OutOfTime
from cosec.errors import CheckerError
from cosec.evaluation.tasks.scenarios import own_scenarios

ROOT = Path(__file__).parents[3]
LABELLED = ROOT.parent / "shared" / "data" / "labelled" / "completions.jsonl"
FAULTS = ROOT.parent / "shared" / "data" / "checker-faults" / "inputs.jsonl"
SCENARIOS = ROOT.parent / "shared" / "data" / "scenarios"
RULES_OF_CWE = {
    "020": {"py/incomplete-host-check"},
    "022": {"py/path-traversal", "py/archive-traversal"},
    "078": {"py/command-injection"},
    "079": {"py/cross-site-scripting", "py/template-without-escaping"},
    "089": {"py/sql-injection"},
    "117": {"py/log-injection"},
    "502": {"py/unsafe-deserialization"},
    "732": {"py/weak-file-permissions"},
    "777": {"py/regex-injection"},
    "798": {"py/hardcoded-credentials"},
}


def programs(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tests" / "data" / folder).glob("*.py")):
        for text in re.split(r"(?m)^# case: ", path.read_text(encoding="utf-8"))[1:]:
            title, _, program = text.partition("\n")
            yield f"{path.stem}: {title}", program


CASES = [*programs("flow_cases"), *programs("flow_cases_held_out")]


def found(program: str) -> set[tuple[int, str]]:
    report = check_source(program, Path("program.py"), FlowChecker.patterns)
    assert not report.unscored, report.unscored
    return {(finding.line, finding.pattern) for finding in report.findings}


@pytest.mark.parametrize("program", [program for _, program in CASES], ids=[title for title, _ in CASES])
def test_finds_what_a_program_is_labelled_with_and_nothing_else(program: str) -> None:
    expected = {
        (number, pattern)
        for number, line in enumerate(program.splitlines(), start=1)
        for pattern in re.findall(r"# expect: (\S+)", line)
    }
    assert found(program) == expected


def test_every_rule_of_the_checker_is_expected_somewhere() -> None:
    expected = set(re.findall(r"# expect: (\S+)", "\n".join(program for _, program in CASES)))
    assert expected == FlowChecker.patterns


@pytest.mark.skipif(not LABELLED.exists(), reason="the labelled completions are not shipped")
def test_labelled_completions_are_told_apart() -> None:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    verdicts: dict[bool, list[bool]] = {True: [], False: []}
    for row in rows:
        if row["lang"] == "py":
            context = (SCENARIOS / row["scenario"] / "file_context.py").read_text(encoding="utf-8").count("\n")
            patterns = RULES_OF_CWE[row["cwe"]]
            alarms = [line for line, pattern in found(row["code"]) if pattern in patterns and line > context]
            verdicts[row["vulnerable"]].append(bool(alarms))
    assert len(verdicts[True]) > 80
    assert len(verdicts[False]) > 75
    assert sum(verdicts[True]) >= 0.95 * len(verdicts[True])
    assert sum(verdicts[False]) <= 0.03 * len(verdicts[False])


@pytest.mark.skipif(not FAULTS.exists(), reason="the programs that were judged wrongly are not shipped")
def test_programs_that_were_judged_wrongly_are_judged_rightly() -> None:
    rows = [json.loads(line) for line in FAULTS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["language"] == "py"]
    wrong = [
        row["kind"]
        for row in rows
        if bool({pattern for _, pattern in found(row["code"])} & RULES_OF_CWE[row["cwe"]]) is not row["vulnerable"]
    ]
    assert len(rows) > 20
    assert wrong == []


FIXED = (
    "022-rename-photo 022-avatar-remove 022-ebook-chapter 022-ask-log-tail 078-ask-ssh-uptime 079-chat-history"
    " 079-markdown-link 089-dynamic-update"
)


@pytest.mark.parametrize("name", FIXED.split())
def test_only_the_vulnerable_side_of_a_pair_is_reported(name: str) -> None:
    """The fixed sides of these pairs were reported once; the checker did not understand their guards."""
    folder = ROOT / "src" / "cosec" / "data"
    lines = [line for path in folder.glob("*pairs/*/*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    (pair,) = (row for row in map(json.loads, lines) if row["commit_link"].endswith(f"/{name}"))
    sides = [{pattern for _, pattern in found(pair[side])} for side in ("func_src_before", "func_src_after")]
    assert [bool(patterns & RULES_OF_CWE[name[:3]]) for patterns in sides] == [True, False]


def test_reference_completions_of_the_scenarios_are_told_apart() -> None:
    verdicts: dict[bool, list[bool]] = {True: [], False: []}
    for scenario in (one for one in own_scenarios() if one.depth == "decision"):
        if scenario.language == "py":
            for reference in scenario.references:
                patterns = {pattern for _, pattern in found(scenario.prompt + reference.code)}
                verdicts[reference.secure].append(bool(patterns & set(scenario.patterns)))
    assert len(verdicts[True]) > 30
    assert len(verdicts[False]) > 30
    assert sum(verdicts[False]) >= 0.95 * len(verdicts[False])
    assert sum(verdicts[True]) <= 0.03 * len(verdicts[True])


def test_report_names_rule_weakness_line_and_source(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("import os\n\n\ndef show(name):\n    os.system('cat ' + name)\n", encoding="utf-8")
    (finding,) = FlowChecker().check([path]).findings
    assert (finding.path, finding.line) == (str(path), 5)
    assert (finding.pattern, finding.cwe, finding.severity) == ("py/command-injection", "CWE-078", "warning")
    assert finding.checker == "flow"
    assert "'name'" in finding.message


LEVELS = {
    "flow from a source": ("import os\nos.system('ls ' + input())\n", "error"),
    "key of a known form": ("KEY = '-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA'\n", "error"),
    "password by its name": ("PASSWORD = 'hunter22'\n", "warning"),
    "archive of unknown origin": ("import tarfile\ntarfile.open(name).extractall('/srv')\n", "warning"),
    "archive of a request": (
        "import tarfile, flask\ntarfile.open(fileobj=flask.request.stream).extractall('/srv')\n",
        "error",
    ),
    "file that others may write": ("import os\nos.chmod('a.txt', 0o666)\n", "warning"),
    "file that others may read": ("import os\nos.chmod('a.txt', 0o644)\n", "note"),
    "mode given to a shell": ("import os\nos.system('chmod 644 notes.txt')\n", "note"),
    "templates without a web framework": ("import jinja2\nE = jinja2.Environment()\n", "note"),
    "templates of a web application": ("import flask, jinja2\nE = jinja2.Environment()\n", "warning"),
    "part of a host": ("def ours(url):\n    return 'example.com' in url\n", "warning"),
}


@pytest.mark.parametrize(("program", "level"), LEVELS.values(), ids=LEVELS)
def test_the_level_says_how_sure_a_finding_is(program: str, level: str) -> None:
    (finding,) = check_source(program, Path("program.py"), FlowChecker.patterns).findings
    assert finding.severity == level


def test_only_the_rules_asked_for_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("import os\nPASSWORD = 'hunter22'\nos.system('ls ' + input())\n", encoding="utf-8")
    report = FlowChecker().check([path], patterns=["py/hardcoded-credentials"])
    assert [finding.pattern for finding in report.findings] == ["py/hardcoded-credentials"]


def test_a_rule_of_another_language_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckerError, match="c/use-after-free"):
        FlowChecker().check([tmp_path], patterns=["c/use-after-free"])


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def broken(:\n", "not valid Python"),
        ("x = 1\x00\n", "not valid Python"),
        ("x = " + "-" * 60_000 + "1\n", ""),
        ("x = 1" + " + 1" * 30_000 + "\n", "nested too deeply"),
        ("def f():\n" + "".join(f"{' ' * n}for i{n} in x:\n" for n in range(1, 19)) + " " * 19 + "y(1)\n", "too large"),
    ],
    ids=["syntax", "null", "minus", "sum", "loops"],
)
def test_what_cannot_be_followed_is_unscored_and_not_clean(tmp_path: Path, program: str, reason: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    report = FlowChecker().check([path])
    assert not report.findings
    (unscored,) = report.unscored
    assert reason in unscored.reason


def test_a_file_that_cannot_be_read_is_unscored(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"name = '\xe9'\n")
    report = FlowChecker().check([tmp_path / "latin.py", tmp_path / "missing.py"])
    assert len(report.unscored) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + "ä = 1\n".encode(),
        "# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"),
        "#!/usr/bin/env python\n# vim: set fileencoding=koi8-r :\nname = 'да'\n".encode("koi8-r"),
    ],
)
def test_files_are_read_in_the_encoding_that_they_declare(tmp_path: Path, content: bytes) -> None:
    weak = b"import os\n\n\ndef run(request):\n    os.system(request.args['a'])\n"
    (tmp_path / "program.py").write_bytes(content + weak)
    report = FlowChecker().check([tmp_path / "program.py"])
    assert [one.pattern for one in report.findings] == ["py/command-injection"]
    assert report.unscored == ()


@pytest.mark.parametrize("name", ["klingon", "hex"])
def test_a_file_in_an_unknown_encoding_is_unscored(tmp_path: Path, name: str) -> None:
    (tmp_path / "program.py").write_bytes(f"# coding: {name}\n".encode())
    (unscored,) = FlowChecker().check([tmp_path / "program.py"]).unscored
    assert name in unscored.reason


def test_what_was_found_before_a_time_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosec.checking.python.sinks import SinkObserver

    def never_ends(*_: object) -> None:
        raise OutOfTime

    monkeypatch.setattr(SinkObserver, "on_end", never_ends)
    report = check_source(
        "import os\n\n\ndef run(request):\n    os.system(request.args['a'])\n", Path("a.py"), FlowChecker.patterns
    )
    assert [one.pattern for one in report.findings] == ["py/command-injection"]
    assert ["not fully judged" in one.reason for one in report.unscored] == [True]


def test_a_defect_of_the_analysis_is_unscored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosec.checking.python.engine.analysis import FileAnalysis

    def fail(_: FileAnalysis) -> None:
        raise KeyError("defect")

    monkeypatch.setattr(FileAnalysis, "run", fail)
    (tmp_path / "program.py").write_text("x = 1\n", encoding="utf-8")
    (unscored,) = FlowChecker().check([tmp_path / "program.py"]).unscored
    assert "KeyError" in unscored.reason


def test_functions_that_call_each_other_come_to_an_end() -> None:
    program = (
        "import os\n\n\ndef even(n, text):\n    return text if n == 0 else odd(n - 1, text + 'a')\n\n\n"
        "def odd(n, text):\n    return even(n - 1, text)\n\n\ndef main():\n    os.system(even(4, input()))\n"
    )
    assert found(program) == {(13, "py/command-injection")}


def test_a_thousand_programs_take_seconds() -> None:
    programs_ = [program for _, program in CASES]
    started = time.process_time()
    for program in programs_:
        found(program)
    assert (time.process_time() - started) / len(programs_) < 0.02


def test_findings_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Python gives sets another order in every process, and a message names one of several sources."""
    program = """
import tarfile, shutil, sys

def install(name, request):
    with tarfile.open(name, "r") as archive:
        archive.extractall(name)
    both = sys.argv[1] + name + request.args["a"] + request.args["b"]
    with tarfile.open(both) as archive:
        archive.extractall(name)
    open(both).read()
"""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    run = (
        "from pathlib import Path; from cosec.checking.python.checker import FlowChecker;"
        "print([(one.line, one.pattern, one.message) for one in FlowChecker().check([Path('program.py')]).findings])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", run],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(6)
    }
    assert len(found) == 1
    assert "py/archive-traversal" in found.pop()


def test_a_test_file_gets_proven_flows_only_unless_all_functions_are_entry_points() -> None:
    program = "import os, sys, pytest\nPASSWORD = 'hunter22'\nos.chmod('a', 0o777)\nos.system('ls ' + sys.argv[1])\n"
    declared = check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="declared")
    assert [(one.line, one.severity) for one in declared.findings] == [(4, "error")]
    assert len(check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="all").findings) == 3
    plain = program.replace("pytest", "json")
    assert len(check_source(plain, Path("program.py"), FlowChecker.patterns, entry_points="declared").findings) == 3


@pytest.mark.parametrize(
    ("program", "alarms"),
    [
        ("def fetch(url):\n    if 'example.com' in url:\n        return mirror(url)\n", 0),
        ("if url.startswith('https://www.example.com'):\n    parser = Special\n", 0),
        ("def is_allowed(url):\n    return 'example.com' in url\n", 1),
        ("def go(redirect_url):\n    if 'example.com' in redirect_url:\n        return 1\n", 1),
        ("from flask import request\nif 'example.com' in request.args['u']:\n    go()\n", 1),
    ],
)
def test_a_test_of_an_address_counts_if_it_decides_what_is_allowed(program: str, alarms: int) -> None:
    assert (
        len(check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="declared").findings) == alarms
    )


@pytest.mark.parametrize(
    ("rest", "alarms"),
    [("", 0), ("import flask\n", 1), ("NAME = 'report.html'\n", 1), ("HEAD = '<h1>Report</h1>'\n", 1)],
)
def test_a_template_engine_without_escaping_counts_in_files_about_pages(rest: str, alarms: int) -> None:
    program = "import jinja2\nE = jinja2.Environment()\n" + rest
    assert (
        len(check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="declared").findings) == alarms
    )
    assert len(check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="all").findings) == 1


@pytest.mark.parametrize(
    ("program", "levels"),
    [
        ("import pickle, sys\npickle.load(sys.stdin.buffer)\n", []),
        ("import os\nos.open('a.txt', os.O_CREAT | os.O_WRONLY, 0o666)\n", []),
        ("import os\nos.open('a.key', os.O_CREAT | os.O_WRONLY, 0o666)\n", ["warning"]),
        ("import os\nos.mkdir('uploads', 0o777)\n", []),
        ("import os\nos.umask(0)\n", ["warning"]),
        ("import sys\neval(sys.stdin.read())\n", ["warning"]),
        ("import pickle, sys\npickle.load(open(sys.argv[1], 'rb'))\n", ["warning"]),
        ("import sys, sqlite3\nsqlite3.connect('a').execute(sys.argv[1])\n", []),
        ("import sys, sqlite3\nsqlite3.connect('a').execute('SELECT ' + sys.argv[1])\n", ["error"]),
        ("import requests, logging\nlogging.debug('got %s', requests.get('https://a.example').text)\n", []),
    ],
)
def test_a_program_trusts_who_starts_it_and_the_servers_that_it_asks(program: str, levels: list[str]) -> None:
    for entry_points, expected in (("declared", levels), ("all", None)):
        report = check_source(program, Path("program.py"), FlowChecker.patterns, entry_points=entry_points)  # type: ignore[arg-type]
        assert expected is None or [one.severity for one in report.findings] == expected
        assert expected is not None or len(report.findings) == 1


@pytest.mark.parametrize(
    ("path", "levels"),
    [
        ("os.path.join('/srv/pages', sys.argv[1])", ["warning"]),
        ("'/srv/pages/' + sys.argv[1]", ["warning"]),
        ("'/tmp/pages/' + sys.argv[1]", []),
        ("os.path.join('pages', sys.argv[1])", []),
        ("os.path.join(os.path.expanduser('~/.pages'), sys.argv[1])", []),
        ("os.path.join(os.getcwd(), sys.argv[1])", []),
        ("os.path.join(sys.argv[1], 'index.html')", []),
        ("folder + sys.argv[1]", []),
        ("os.path.join(os.getcwd(), flask.request.args['f'])", ["error"]),
    ],
)
def test_who_starts_a_program_may_leave_all_folders_but_those_that_it_names(path: str, levels: list[str]) -> None:
    program = f"import flask, os, sys\nfolder = os.environ['HOME']\nopen({path})\n"
    report = check_source(program, Path("program.py"), FlowChecker.patterns, entry_points="declared")
    assert [one.severity for one in report.findings] == levels
