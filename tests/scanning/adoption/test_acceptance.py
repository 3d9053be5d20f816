"""What counts of a scan, and what is reported as accepting nothing."""

from pathlib import Path

import pytest

from cosec.checking.finding import Finding
from cosec.checking.patterns import PATTERNS
from cosec.scanning.adoption.acceptance import Acceptance
from cosec.scanning.adoption.baseline import Baseline, Known

SOURCE = b"run(a)\nrun(b)  # cosec: ignore[CWE-089] ours\nrun(c)\nsafe()  # cosec: ignore[CWE-022]\n"


def finding(line: int) -> Finding:
    return Finding(
        path="a.py",
        line=line,
        pattern="py/sql-injection",
        cwe="CWE-089",
        message="m",
        severity="error",
        checker="flow",
    )


def known(*lines: int) -> Baseline:
    return Baseline([Known(path="a.py", pattern="py/sql-injection", line=line) for line in lines])


def sorted_by(acceptance: Acceptance, *, judged: bool = True) -> list[int]:
    findings = [finding(line) for line in (1, 2, 3)]
    return [one.line for one in acceptance.sort("a.py", SOURCE, "py", findings, judged=judged)]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_bytes(SOURCE)


def test_a_comment_comes_before_the_baseline() -> None:
    acceptance = Acceptance(baseline=known(2, 3))
    assert sorted_by(acceptance) == [1]
    accepted = acceptance.accepted(failed=False)
    assert [one.finding.line for one in accepted.suppressed] == [2]
    assert [one.line for one in accepted.known] == [3]
    assert [one.line for one in accepted.stale] == [2]
    assert [one.line for one in accepted.unused] == [4]
    assert [note.split(":")[1] for note in accepted.notes()] == ["4", "2"]


def test_nothing_is_called_without_effect_if_a_checker_failed_or_the_file_was_not_judged() -> None:
    acceptance = Acceptance(baseline=known(9))
    sorted_by(acceptance)
    assert list(acceptance.accepted(failed=True).notes()) == []
    acceptance = Acceptance(baseline=known(9))
    sorted_by(acceptance, judged=False)
    assert list(acceptance.accepted(failed=False).notes()) == []


@pytest.mark.parametrize(
    ("asked", "notes"),
    [
        ({}, 2),
        ({"patterns": ["py/sql-injection"]}, 1),
        ({"patterns": ["py/path-traversal"]}, 0),
        ({"patterns": ["py/path-traversal", "py/archive-traversal"]}, 1),
        ({"checkers": ["flow", "semgrep"]}, 2),
        ({"checkers": ["semgrep"]}, 0),
    ],
)
def test_only_what_was_looked_for_by_the_default_checkers_is_missed(asked: dict[str, list[str]], notes: int) -> None:
    acceptance = Acceptance(**asked, baseline=known(1, 9))  # type: ignore[arg-type]
    sorted_by(acceptance)
    assert len(list(acceptance.accepted(failed=False).notes())) == notes


def test_runs_are_part_of_the_scope_only_if_they_were_asked_for() -> None:
    assert "sanitizer" not in Acceptance().scope(failed=False).checkers
    assert "sanitizer" in Acceptance(dynamic=True).scope(failed=False).checkers
    assert Acceptance().scope(failed=False).patterns == frozenset(PATTERNS)
