import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cosec.checking.external.semgrep import SemgrepChecker
from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.errors import CheckerError

CASES = Path(__file__).parents[2] / "data" / "semgrep_cases"
LABELLED = Path(__file__).parents[4] / "shared" / "data" / "labelled" / "completions.jsonl"


def expected(path: Path) -> set[tuple[int, str]]:
    lines = path.read_text().splitlines()
    return {(number, mark[1]) for number, line in enumerate(lines, 1) if (mark := re.search(r"expect: (\S+)", line))}


@dataclass(frozen=True)
class Scan:
    """One run of semgrep over the files of several tests, as its start takes longer than the files."""

    cases: CheckReport
    odd: CheckReport
    completions: CheckReport
    weaknesses: Mapping[str, str]
    """Of the labelled secure completions, by path."""


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    odd, labelled = tmp_path_factory.mktemp("odd"), tmp_path_factory.mktemp("labelled")
    (odd / "broken.c").write_text("int main( { gets(line) ;;;\n")
    (odd / "test_hidden.c").write_text("void f(char *b) {\n    gets(b); // nosemgrep\n}\n")
    (odd / ".semgrepignore").write_text("*\n")
    (odd / "link.h").symlink_to(odd / "test_hidden.c")
    weaknesses = {}
    for index, line in enumerate(LABELLED.read_text().splitlines() if LABELLED.exists() else ()):
        record = json.loads(line)
        if not record["vulnerable"]:
            path = labelled / f"{index}.{record['lang']}"
            path.write_text(record["code"])
            weaknesses[str(path)] = f"CWE-{record['cwe']}"
    names = ("broken.c", "test_hidden.c", "link.h", "gone.c")
    paths = [CASES / "programs.c", CASES / "programs.py", *(odd / name for name in names), *map(Path, weaknesses)]
    report = SemgrepChecker().check(paths)

    def of(folder: Path) -> CheckReport:
        def inside(one: Finding | Unscored) -> bool:
            return Path(one.path).parent == folder

        return CheckReport(
            findings=tuple(filter(inside, report.findings)), unscored=tuple(filter(inside, report.unscored))
        )

    return Scan(of(CASES), of(odd), of(labelled), weaknesses)


@pytest.mark.parametrize("name", ["programs.c", "programs.py"])
def test_finds_what_is_marked_and_nothing_else(scan: Scan, name: str) -> None:
    found = {(one.line, one.pattern) for one in scan.cases.findings if one.path.endswith(name)}
    assert found == expected(CASES / name)
    assert not scan.cases.unscored


def test_every_rule_has_a_file_a_case_and_an_id_of_the_table(scan: Scan) -> None:
    assert {one.pattern for one in scan.cases.findings} == SemgrepChecker().patterns
    assert SemgrepChecker().patterns <= PATTERNS.keys()
    for one in scan.cases.findings:
        assert (one.cwe, one.severity) == (PATTERNS[one.pattern].cwe, PATTERNS[one.pattern].severity)


def test_only_the_rules_asked_for_are_looked_for(tmp_path: Path) -> None:
    found = SemgrepChecker().check([CASES / "programs.c"], patterns=["c/sql-injection", "py/sql-injection"]).findings
    assert {one.pattern for one in found} == {"c/sql-injection"}


def test_what_cannot_be_parsed_or_read_is_unscored_and_comments_hide_nothing(scan: Scan) -> None:
    found = [(Path(one.path).name, one.line) for one in scan.odd.findings]
    assert found == [("link.h", 2), ("test_hidden.c", 2)]
    assert [Path(one.path).name for one in scan.odd.unscored] == ["broken.c", "gone.c"]


def test_a_rule_that_semgrep_cannot_read_is_an_error_and_not_a_clean_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "c-sql-injection.yaml").write_text(
        "rules:\n- {id: broken, languages: [c], severity: ERROR, message: broken, pattern: 'f((((',"
        " metadata: {rule: c/sql-injection}}\n"
    )
    with pytest.raises(CheckerError, match="could not run its rules"):
        SemgrepChecker(rules).check([CASES / "programs.c"])


def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "semgrep"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("COSEC_SEMGREP", str(program))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo out of memory >&2; exit 7", "exit code 7: out of memory"),
        ('echo \'{"results": [], "errors": []}\'; exit 2', "exit code 2 and named no error"),
        ('echo \'{"results": [], "errors": [], "skipped_rules": ["x"]}\'', "skipped rules"),
    ],
)
def test_a_failing_run_is_an_error(tmp_path, monkeypatch, script: str, message: str) -> None:
    answering(tmp_path, monkeypatch, script)
    with pytest.raises(CheckerError, match=message):
        SemgrepChecker().check([CASES / "programs.c"])


def test_a_file_that_was_not_scanned_is_unscored(tmp_path, monkeypatch) -> None:
    answering(tmp_path, monkeypatch, 'echo \'{"results": [], "errors": [], "paths": {"scanned": []}}\'')
    report = SemgrepChecker().check([CASES / "programs.c"])
    assert [one.reason for one in report.unscored] == ["semgrep did not scan it"]


def test_a_missing_program_is_an_error_that_names_the_remedy(monkeypatch) -> None:
    monkeypatch.setenv("COSEC_SEMGREP", "/nowhere/semgrep")
    with pytest.raises(CheckerError, match="make setup"):
        SemgrepChecker().check([CASES / "programs.c"])


@pytest.mark.skipif(not LABELLED.exists(), reason="the labelled completions are not here")
def test_no_secure_completion_raises_an_alarm(scan: Scan) -> None:
    assert len(scan.weaknesses) > 100
    assert not [one for one in scan.completions.findings if scan.weaknesses[one.path] == one.cwe]


def test_the_users_settings_are_left_alone(tmp_path, monkeypatch) -> None:
    answering(tmp_path, monkeypatch, f'echo "$SEMGREP_SETTINGS_FILE $*" > {tmp_path}/call; echo "{{}}"')
    SemgrepChecker().check([CASES / "programs.py"], patterns=["py/sql-injection"])
    call = (tmp_path / "call").read_text()
    assert str(Path.home()) not in call.split()[0]
    assert "--metrics off" in call
    assert call.count("--config") == 1
