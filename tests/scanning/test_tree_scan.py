"""What a scan gives out, in which order, and which files it calls unscored."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosec.checking.external.semgrep import SemgrepChecker, find_semgrep
from cosec.checking.finding import CheckReport, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.errors import SettingsError
from cosec.scanning import FileResult, Progress, TreeScan, assignment, files, scan

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
    monkeypatch.setattr(assignment, "make_checker", lambda name, **_: made[name])
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


def test_a_scan_takes_declared_entry_points_only_unless_told_otherwise(tmp_path: Path) -> None:
    program = "import os\n\n\ndef run(folder):\n    os.system('ls ' + folder)\n"
    (tmp_path / "shell.py").write_text(program, encoding="utf-8")
    assert scan([tmp_path]).report.findings == ()
    assert [one.severity for one in scan([tmp_path], entry_points="all").report.findings] == ["warning"]


@pytest.mark.skipif(find_semgrep() is None, reason="semgrep is not installed")
def test_half_of_a_c_file_is_judged_where_semgrep_cannot_parse_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "part.c").write_text(HALF_PARSED, encoding="utf-8")
    found: list[CheckReport] = []
    check = SemgrepChecker.check

    def noted(self: SemgrepChecker, *paths: Any, **patterns: Any) -> CheckReport:
        found.append(check(self, *paths, **patterns))
        return found[-1]

    monkeypatch.setattr(SemgrepChecker, "check", noted)
    report = scan([tmp_path]).report
    assert [(one.line, one.pattern) for one in report.findings] == [(7, "c/out-of-bounds-write")]
    assert report.unscored == ()
    assert [len(one.unscored) for one in found] == [1]


WEAK = """\
import os
from flask import request


def run():
    os.system(request.args["command"])
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [f"part{number:02}.py" for number in range(20)]:
        (tmp_path / name).write_text(WEAK, encoding="utf-8")
    return tmp_path


def test_results_come_in_the_order_of_the_paths_with_any_number_of_processes(tree: Path) -> None:
    by_one = [result.findings for result in TreeScan([tree], jobs=1).results()]
    by_two = [result.findings for result in TreeScan([tree], jobs=2).results()]
    assert by_one == by_two
    assert [found.path for (found,) in by_two] == [f"part{number:02}.py" for number in range(20)]


def test_a_scan_that_is_left_early_keeps_what_it_gave_out(tree: Path) -> None:
    scanning = TreeScan([tree])
    results = scanning.results()
    first = next(results)
    results.close()
    assert list(scanning.rest()) == []
    summary = scanning.summary()
    assert summary.report.findings == first.findings
    assert (summary.files, summary.unfinished) == (20, 19)


def test_steps_change_the_result_of_each_file(tree: Path) -> None:
    def forget(result: FileResult) -> FileResult:
        return replace(result, findings=()) if result.file.shown < "part15.py" else result

    scanning = TreeScan([tree], steps=[forget])
    assert sum(len(result.findings) for result in scanning.results()) == 5
    assert len(scanning.summary().report.findings) == 5


def test_progress_counts_files_and_bytes(tree: Path) -> None:
    seen: list[tuple[int, int]] = []

    def note(progress: Progress) -> None:
        seen.append((progress.done_files, progress.done_size))
        assert (progress.files, progress.size) == (20, 20 * len(WEAK))

    list(TreeScan([tree], on_progress=note).results())
    assert seen == [(number, number * len(WEAK)) for number in range(1, 21)]


@pytest.mark.parametrize("coding", ["rot13", "undefined", "no-such-coding"])
def test_a_file_in_an_unknown_encoding_is_unscored_and_the_others_are_judged(tmp_path: Path, coding: str) -> None:
    (tmp_path / "odd.py").write_text(f"# coding: {coding}\nx = 1  # nosec\n")
    (tmp_path / "weak.py").write_text("import os\nos.system(input())\n")
    scanned = scan([str(tmp_path)])
    assert [Path(one.path).name for one in scanned.report.findings] == ["weak.py"]
    assert [Path(one.path).name for one in scanned.report.unscored] == ["odd.py"]


@pytest.mark.parametrize("checkers", [[], ["semgrep"]])
def test_a_file_that_is_too_large_is_unscored_and_the_others_are_judged(
    tree: Path, monkeypatch: pytest.MonkeyPatch, checkers: list[str]
) -> None:
    if checkers and find_semgrep() is None:
        pytest.skip("semgrep is not installed")
    monkeypatch.setattr(files, "MAX_FILE_BYTES", len(WEAK))
    (tree / "large.py").write_text(WEAK + "#")
    scanned = scan([tree], checkers=checkers)
    assert [(one.path, one.reason) for one in scanned.report.unscored] == [
        ("large.py", "not judged: it is larger than 4 MB")
    ]
    assert [one.path for one in scanned.report.findings] == [f"part{number:02}.py" for number in range(20)]
    assert scanned.errors == ()


@pytest.mark.parametrize("patterns", [["CWE-078"], "py/os-comand-injection"])
def test_an_unknown_pattern_is_refused_by_name(tmp_path: Path, patterns: str | list[str]) -> None:
    name = patterns if isinstance(patterns, str) else patterns[0]
    with pytest.raises(SettingsError, match=f"patterns: there is no '{name}'"):
        scan([tmp_path], patterns=patterns)


@pytest.mark.parametrize("name", ["gone.c", "gone.py"])
def test_a_file_that_cannot_be_read_does_not_silence_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy.c").write_text("#include <string.h>\nvoid f(char *s) { char n[4]; strcpy(n, s); }\n")
    (tmp_path / name).write_text("int x;\n" if name.endswith(".c") else "x = 1\n")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    scanned = scan([tmp_path], checkers=["c-static", "flow"])
    assert [(one.path, one.line) for one in scanned.report.findings] == [("copy.c", 2)]
    assert [(one.path, one.reason) for one in scanned.report.unscored] == [(name, "cannot be read: Permission denied")]
    assert scanned.errors == ()
