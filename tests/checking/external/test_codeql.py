"""CodeQL itself is not here: a program of its name records its arguments and replays SARIF."""

import json
import sys
from pathlib import Path

import pytest

from cosec.checking.external.codeql import QUERIES, CodeqlChecker
from cosec.checking.finding import CheckReport
from cosec.checking.patterns import PATTERNS
from cosec.errors import CheckerError
from cosec.sandbox import BACKENDS, SANDBOX_VARIABLE

FAKE = """#!{python}
import json, pathlib, sys
here = pathlib.Path({folder!r})
arguments = sys.argv[1:]
with open(here / "calls.jsonl", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
for one in arguments:
    if one.startswith("--source-root="):
        root = pathlib.Path(one.split("=", 1)[1])
        (here / "staged.json").write_text(json.dumps({{path.name: path.read_text() for path in root.iterdir()}}))
    if one.startswith("--command=sh "):
        (here / "build.sh").write_text((root / one.split(" ", 1)[1]).read_text())
    if one.startswith("--output="):
        pathlib.Path(one.split("=", 1)[1]).write_text((here / "replayed").read_text())
sys.stderr.write("it failed here")
sys.exit(2 if (here / ("fail-" + arguments[1])).exists() else 0)
"""


class Fake:
    """A program named codeql, first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replay()

    def replay(self, *results: tuple[str, str, int]) -> None:
        found = [
            {
                "ruleId": pattern,
                "message": {"text": "This depends on\na user-provided value."},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}],
            }
            for pattern, uri, line in results
        ]
        self.text(json.dumps({"version": "2.1.0", "runs": [{"results": found}]}))

    def text(self, text: str) -> None:
        (self.folder / "replayed").write_text(text)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def codeql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "codeql"
    program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv(SANDBOX_VARIABLE, "limits")  # the program that stands in for it writes down what it is given
    return Fake(folder)


def check(path: Path, text: str, pattern: str) -> CheckReport:
    path.write_text(text)
    return CodeqlChecker().check([path], patterns=[pattern])


def test_a_database_is_made_and_analysed_with_the_query_of_the_rule(codeql, tmp_path) -> None:
    codeql.replay(("py/sql-injection", "0.py", 2))
    report = check(tmp_path / "app.py", "\ncursor.execute(text)\n", "py/sql-injection")
    created, analysed = codeql.calls
    assert created[:2] == ["database", "create"]
    assert "--language=python" in created
    assert analysed[:3] == ["database", "analyze", created[2]]
    assert [one for one in analysed if one.endswith(".ql")] == [
        "codeql/python-queries:Security/CWE-089/SqlInjection.ql"
    ]
    assert json.loads((codeql.folder / "staged.json").read_text()) == {"0.py": "\ncursor.execute(text)\n"}
    (found,) = report.findings
    assert (found.path, found.line, found.pattern, found.cwe) == (
        str(tmp_path / "app.py"),
        2,
        "py/sql-injection",
        "CWE-089",
    )
    assert found.message == "This depends on a user-provided value."


def test_c_is_compiled_under_codeqls_eyes(codeql, tmp_path) -> None:
    codeql.replay(("cpp/use-after-free", "0.c", 1))
    report = check(tmp_path / "list.c", "int one(void) { return 1; }\n", "c/use-after-free")
    assert "--language=cpp" in codeql.calls[0]
    assert "gcc -c" in (codeql.folder / "build.sh").read_text()
    assert [one.pattern for one in report.findings] == ["c/use-after-free"]


def test_an_alert_in_an_included_header_does_not_hide_the_others(codeql, tmp_path) -> None:
    codeql.replay(("cpp/use-after-free", "file:///project/list.h", 1), ("cpp/use-after-free", "0.c", 1))
    report = check(tmp_path / "list.c", "int one(void) { return 1; }\n", "c/use-after-free")
    assert [(one.path, one.line) for one in report.findings] == [(str(tmp_path / "list.c"), 1)]


def test_a_header_is_unscored_and_not_clean(codeql, tmp_path) -> None:
    report = check(tmp_path / "list.h", "int one(void);\n", "c/use-after-free")
    assert [(one.path, one.reason) for one in report.unscored] == [
        (str(tmp_path / "list.h"), "codeql reads headers only with the files that include them")
    ]
    assert not (codeql.folder / "calls.jsonl").exists()


def test_an_alert_of_an_unknown_query_is_an_error(codeql, tmp_path) -> None:
    codeql.replay(("cpp/unheard-of", "0.c", 1))
    with pytest.raises(CheckerError, match="SARIF"):
        check(tmp_path / "list.c", "int one(void) { return 1; }\n", "c/use-after-free")


@pytest.mark.parametrize("step", ["create", "analyze"])
def test_a_failing_step_is_an_error_and_not_a_clean_file(codeql, tmp_path, step: str) -> None:
    (codeql.folder / f"fail-{step}").touch()
    with pytest.raises(CheckerError, match=f"{step}` failed with exit code 2: it failed here"):
        check(tmp_path / "app.py", "pass\n", "py/sql-injection")


@pytest.mark.parametrize("text", ["", "{}", '{"runs": [{"results": [{"ruleId": "py/unheard-of"}]}]}'])
def test_sarif_that_cannot_be_read_is_an_error(codeql, tmp_path, text: str) -> None:
    codeql.text(text)
    with pytest.raises(CheckerError, match="SARIF"):
        check(tmp_path / "app.py", "pass\n", "py/sql-injection")


@pytest.mark.parametrize(
    ("program", "stands"),
    [
        ('subprocess.run(["ls", name])', False),
        ('words = ["ls", name]; other = 1\nsubprocess.run(words)', False),
        ('subprocess.run(["ls", name], shell=False)', False),
        ('subprocess.run(["ls", name], shell=True)', True),
        ('subprocess.run("ls " + name, shell=True)', True),
        ('subprocess.run(["sh", "-c", name])', True),
        ("subprocess.run([name])", True),
        ("os.system(name)", True),
    ],
)
def test_a_list_of_arguments_is_no_shell_command(codeql, tmp_path, program: str, stands: bool) -> None:
    codeql.replay(("py/command-line-injection", "0.py", program.count("\n") + 1))
    report = check(tmp_path / "app.py", program + "\n", "py/command-injection")
    assert bool(report.findings) is stands


@pytest.mark.parametrize(("name", "pattern"), [("app.py", "py/sql-injection"), ("list.c", "c/use-after-free")])
def test_what_codeql_would_leave_out_is_unscored(codeql, tmp_path, name: str, pattern: str) -> None:
    report = check(tmp_path / name, "int broken( {\n", pattern)
    assert [one.path for one in report.unscored] == [str(tmp_path / name)]
    assert not (codeql.folder / "calls.jsonl").exists()


READER = """#!/bin/sh
case "$2" in
  create) mkdir -p database ;;
  analyze) head -c 1 {secret} || {{ echo '{{"runs": []}}' > results.sarif; }} ;;
esac
"""


@pytest.mark.skipif(BACKENDS["bubblewrap"].problem() is not None, reason="bubblewrap is not installed")
def test_codeql_sees_no_file_but_the_judged_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    program = tmp_path / "bin" / "codeql"
    program.write_text(READER.format(secret=tmp_path / "secret.txt"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "code").mkdir()
    assert check(tmp_path / "code" / "app.py", "pass\n", "py/sql-injection") == CheckReport()


def test_without_codeql_it_is_an_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CheckerError, match="not on the PATH"):
        check(tmp_path / "app.py", "pass\n", "py/sql-injection")


def test_queries_name_rules_of_the_table_and_each_alert_means_one_rule() -> None:
    assert QUERIES.keys() <= PATTERNS.keys()
    identities = [identity for queries in QUERIES.values() for identity in queries]
    assert len(identities) == len(set(identities))
