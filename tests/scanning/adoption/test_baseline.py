"""Which findings a baseline answers for, and which of its entries are reported."""

import json
import os
from pathlib import Path

import pytest

from cosec.checking.finding import Finding
from cosec.checking.patterns import PATTERNS
from cosec.errors import DataError
from cosec.scanning.adoption.baseline import Baseline, Scope, write_baseline
from cosec.scanning.sarif import sarif_report
from cosec.scanning.suppression import Suppressed


def finding(path: str, line: int, pattern: str = "py/sql-injection", checker: str = "flow") -> Finding:
    return Finding(
        path=path,
        line=line,
        pattern=pattern,
        cwe=PATTERNS[pattern].cwe,
        message="m",
        severity="error",
        checker=checker,
    )


def scope(*paths: str, checkers: tuple[str, ...] = ("flow",)) -> Scope:
    return Scope(paths=frozenset(paths), patterns=frozenset(PATTERNS), checkers=frozenset(checkers))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    return tmp_path


def lines(path: str, text: str) -> None:
    Path(path).write_text(text)


def new(findings: list[Finding], baseline: str = "base.json") -> list[int]:
    return [one.line for one in Baseline.read(Path(baseline)).new(findings)]


def test_known_findings_survive_moves_and_a_changed_line_is_new() -> None:
    lines("app/a.py", "execute(x)\n")
    assert write_baseline(Path("base.json"), [finding("app/a.py", 1)], scope("app/a.py")) == 1
    lines("app/a.py", "# new\n\n    execute(x)\n")
    assert new([finding("app/a.py", 3)]) == []
    lines("app/a.py", "execute(y)\n")
    assert new([finding("app/a.py", 1)]) == [1]


def test_of_equal_lines_the_added_one_is_new() -> None:
    lines("app/a.py", "first()\nexecute(x)\nsecond()\n")
    write_baseline(Path("base.json"), [finding("app/a.py", 2)], scope("app/a.py"))
    lines("app/a.py", "added()\nexecute(x)\nfirst()\nexecute(x)\nsecond()\n")
    assert new([finding("app/a.py", 2), finding("app/a.py", 4)]) == [2]
    lines("app/a.py", "first()\nexecute(x)\nsecond()\nlast()\nexecute(x)\n")
    assert new([finding("app/a.py", 2), finding("app/a.py", 5)]) == [5]


def test_each_entry_answers_once() -> None:
    lines("app/a.py", "execute(x)\nexecute(x)\n")
    both = [finding("app/a.py", 1), finding("app/a.py", 2)]
    write_baseline(Path("base.json"), both, scope("app/a.py"))
    assert new(both) == []
    write_baseline(Path("base.json"), both[:1], scope("app/a.py"))
    assert len(new(both)) == 1


def test_a_baseline_works_from_any_folder(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    lines("app/a.py", "execute(x)\n")
    write_baseline(Path("base.json"), [finding("app/a.py", 1)], scope("app/a.py"))
    monkeypatch.chdir(project / "app")
    assert new([finding("a.py", 1)], "../base.json") == []
    assert new([finding(str(project / "app" / "a.py"), 1)], "../base.json") == []


def test_entries_without_a_finding_are_stale_if_it_was_looked_for() -> None:
    for name in ("a", "b", "c"):
        lines(f"app/{name}.py", "execute(x)\n")
    found = [finding("app/a.py", 1), finding("app/b.py", 1), finding("app/c.py", 1, "py/path-traversal", "semgrep")]
    write_baseline(Path("base.json"), found, scope("app/a.py", "app/b.py", "app/c.py"))
    Path("app/b.py").unlink()

    def stale(checked: Scope) -> list[str]:
        return [one.path for one in Baseline.read(Path("base.json")).stale(checked)]

    assert stale(scope("app/a.py", "app/c.py", checkers=("flow", "semgrep"))) == ["app/a.py", "app/b.py", "app/c.py"]
    assert stale(scope("app/c.py")) == ["app/b.py"]
    assert stale(Scope()) == []


def test_writing_again_replaces_what_was_looked_for_and_keeps_the_rest() -> None:
    lines("app/a.py", "execute(x)\n")
    lines("app/b.py", "execute(x)\n")
    write_baseline(Path("base.json"), [finding("app/a.py", 1), finding("app/b.py", 1)], scope("app/a.py", "app/b.py"))
    assert write_baseline(Path("base.json"), [], scope("app/a.py")) == 1
    assert [one.path for one in Baseline.read(Path("base.json")).unused()] == ["app/b.py"]


def test_one_finding_is_one_line_of_the_file() -> None:
    lines("app/a.py", "execute(x)\nexecute(y)\n")
    write_baseline(Path("base.json"), [finding("app/a.py", 2), finding("app/a.py", 1)], scope("app/a.py"))
    written = Path("base.json").read_text().splitlines()
    assert [json.loads(one.rstrip(","))["line"] for one in written[1:-1]] == [1, 2]


def test_a_report_is_never_overwritten_by_a_baseline() -> None:
    lines("app/a.py", "execute(x)\n")
    for text in (json.dumps(sarif_report([finding("app/a.py", 1)])), '{"findings": []}', "notes"):
        lines("base.json", text)
        with pytest.raises(DataError, match=r"base\.json"):
            write_baseline(Path("base.json"), [], Scope())
        assert Path("base.json").read_text() == text


def test_a_baseline_of_an_earlier_release_is_read() -> None:
    lines("app/a.py", "# new\nexecute(x)\n")
    report = sarif_report([finding("app/a.py", 2)])
    del report["runs"][0]["results"][0]["partialFingerprints"]["cosecContext/v1"]
    lines("old.sarif", json.dumps(report))
    assert new([finding("app/a.py", 2)], "old.sarif") == []


def test_a_finding_that_a_comment_accepted_is_not_known_to_a_report() -> None:
    lines("app/a.py", "execute(x)\n")
    accepted = Suppressed(finding=finding("app/a.py", 1), line=1, reason="")
    lines("old.sarif", json.dumps(sarif_report([], suppressed=[accepted])))
    assert new([finding("app/a.py", 1)], "old.sarif") == [1]


def test_a_file_name_that_is_no_text_is_kept() -> None:
    name = os.fsdecode(b"app/\xff.py")
    lines(name, "execute(x)\n")
    write_baseline(Path("base.json"), [finding(name, 1)], scope(name))
    assert new([finding(name, 1)]) == []


@pytest.mark.parametrize(
    "wrong", [{"path": 5}, {"rule": ["x"]}, {"line": "z"}, {"text": 1}, {"context": 1}, {"checker": {}}], ids=str
)
def test_an_entry_with_a_value_of_another_type_is_refused(wrong: dict[str, object]) -> None:
    lines("app/a.py", "execute(x)\n")
    write_baseline(Path("base.json"), [finding("app/a.py", 1)], scope("app/a.py"))
    content = json.loads(Path("base.json").read_text())
    content["findings"][0] |= wrong
    lines("base.json", json.dumps(content))
    with pytest.raises(DataError, match=r"base\.json.*--write-baseline"):
        Baseline.read(Path("base.json"))


@pytest.mark.parametrize("wrong", [{"path": 5}, {"rule": 5}], ids=str)
def test_a_report_with_a_value_of_another_type_is_refused(wrong: dict[str, object]) -> None:
    lines("old.json", json.dumps({"findings": [{"path": "a.py", "rule": "py/sql-injection", "line": 1, **wrong}]}))
    with pytest.raises(DataError, match=r"old\.json"):
        Baseline.read(Path("old.json"))


def test_sarif_results_without_a_place_answer_for_nothing() -> None:
    lines("app/a.py", "execute(x)\n")
    report = sarif_report([finding("app/a.py", 1)])
    (whole,) = report["runs"][0]["results"]
    file = {"artifactLocation": {"uri": "app/a.py"}}
    places = [[], [{}], [{"physicalLocation": file}], [{"physicalLocation": {"region": {"startLine": 1}}}]]
    unplaced = [{"ruleId": "py/sql-injection", "message": {}, "locations": place} for place in places]
    unplaced += [{"ruleId": "py/sql-injection", "message": {}}, {**whole, "ruleId": None}]
    del unplaced[-1]["ruleId"]
    report["runs"][0]["results"] = [*unplaced, whole]
    report["runs"].append({"tool": {}})
    lines("old.sarif", json.dumps(report))
    assert [one.path for one in Baseline.read(Path("old.sarif")).unused()] == ["app/a.py"]
    assert new([finding("app/a.py", 1)], "old.sarif") == []
