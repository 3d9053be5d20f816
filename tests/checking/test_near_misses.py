"""Programs in the style of applications: weaknesses behind incomplete checks, and complete ones beside them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosec.checking.finding import CheckReport, EntryPoints
from cosec.checking.python.checker import FlowChecker, check_source
from cosec.checking.registry import make_checker

DATA = Path(__file__).parents[1] / "data" / "near_misses"


def programs(name: str) -> Iterator[tuple[str, str, bool, str]]:
    """Return title, weakness, whether it is there, and program."""
    for part in re.split(r"(?m)^==== ", (DATA / name).read_text(encoding="utf-8"))[1:]:
        head, _, program = part.partition("\n")
        weakness, label, title = head.split()
        yield title, f"CWE-{weakness}", label == "insecure", program


def wrong(report: CheckReport, weakness: str, insecure: bool) -> bool:
    same = {weakness, "CWE-119"} if weakness in {"CWE-125", "CWE-787"} else {weakness}
    return bool({finding.cwe for finding in report.findings} & same) is not insecure or bool(report.unscored)


@pytest.mark.parametrize("entry_points", ["all", "declared"])
def test_programs_of_applications_are_judged_rightly(entry_points: EntryPoints) -> None:
    rows = list(programs("python.txt"))
    mistaken = []
    for title, weakness, insecure, program in rows:
        report = check_source(program, Path("p.py"), FlowChecker.patterns, entry_points=entry_points)
        if wrong(report, weakness, insecure):
            mistaken.append(title)
    assert mistaken == []
    assert min(sum(insecure for *_, insecure, _ in rows), sum(not insecure for *_, insecure, _ in rows)) > 40


def test_programs_in_c_are_judged_rightly(tmp_path: Path) -> None:
    rows = list(programs("c.txt"))
    checker = make_checker("c-static")
    mistaken = []
    for title, weakness, insecure, program in rows:
        path = tmp_path / f"{title}.c"
        path.write_text(program, encoding="utf-8")
        if wrong(checker.check([path]), weakness, insecure):
            mistaken.append(title)
    assert mistaken == []
    assert min(sum(insecure for *_, insecure, _ in rows), sum(not insecure for *_, insecure, _ in rows)) > 20
