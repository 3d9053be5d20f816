"""Which files a scan calls unscored when its checkers disagree on what they can read."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from cosec.checking import scanning
from cosec.checking.external.semgrep import find_semgrep
from cosec.checking.finding import CheckReport, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.checking.scanning import scan

ALL_C = frozenset(pattern.id for pattern in PATTERNS.values() if pattern.language == "c")
HALF_PARSED = """\
int odd(const char *text) {
    return text[0] == @ ? 1 : 0;
}

void shown(const char *text) {
    char name[8];
    strcpy(name, text);
}
"""
"""No C compiler takes it; tree-sitter and semgrep read what they can."""


class Reader:
    """A checker that can read some files only."""

    name = "reader"

    def __init__(self, patterns: frozenset[str], fails_on: Collection[str] = ()) -> None:
        self.patterns = patterns
        self.fails_on = fails_on

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        failed = [path for path in paths if path.name in self.fails_on]
        return CheckReport(unscored=tuple(Unscored(path=str(path), reason="half parsed") for path in failed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.c", "two.c"):
        (tmp_path / name).write_text("int main(void) { return 0; }\n", encoding="utf-8")
    return tmp_path


def unscored(folder: Path, monkeypatch: pytest.MonkeyPatch, *, dynamic: bool = False, **checkers: Reader) -> list[str]:
    made = {name.replace("_", "-"): checker for name, checker in checkers.items()}
    monkeypatch.setattr(scanning, "make_checker", made.__getitem__)
    found = scan([folder], checkers=[name for name in made if name != "sanitizer"], dynamic=dynamic)
    assert found.errors == ()
    return [Path(one.path).name for one in found.report.unscored]


def test_a_file_that_another_checker_judged_by_the_same_patterns_is_scored(folder, monkeypatch) -> None:
    half = Reader(frozenset({"c/sql-injection"}), fails_on=["one.c"])
    assert unscored(folder, monkeypatch, semgrep=half) == ["one.c"]
    assert unscored(folder, monkeypatch, semgrep=half, c_static=Reader(ALL_C)) == []


def test_a_file_is_unscored_where_a_pattern_was_judged_by_nobody(folder, monkeypatch) -> None:
    whole = Reader(ALL_C, fails_on=["one.c"])
    assert unscored(folder, monkeypatch, c_static=whole, semgrep=Reader(frozenset({"c/sql-injection"}))) == ["one.c"]


def test_a_file_that_no_checker_could_read_is_unscored(folder, monkeypatch) -> None:
    readers = {name: Reader(ALL_C, fails_on=["one.c"]) for name in ("c_static", "semgrep")}
    assert unscored(folder, monkeypatch, **readers) == ["one.c"]


def test_reading_does_not_replace_a_run_nor_a_run_reading(folder, monkeypatch) -> None:
    fails, works = Reader(ALL_C, fails_on=["one.c"]), Reader(ALL_C)
    assert unscored(folder, monkeypatch, dynamic=True, c_static=works, sanitizer=fails) == ["one.c"]
    assert unscored(folder, monkeypatch, dynamic=True, c_static=fails, sanitizer=works) == ["one.c"]


@pytest.mark.skipif(find_semgrep() is None, reason="semgrep is not installed")
def test_half_of_a_c_file_is_judged_where_semgrep_cannot_parse_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "part.c").write_text(HALF_PARSED, encoding="utf-8")
    report = scan([tmp_path]).report
    assert [(one.line, one.pattern) for one in report.findings] == [(7, "c/out-of-bounds-write")]
    assert report.unscored == ()
    assert len(scan([tmp_path], checkers=["semgrep"]).report.unscored) == 1
