"""The C programs that were once judged wrongly, where the list of them is at hand."""

import json
from pathlib import Path

import pytest

from cosec.checking.c.static import CStaticChecker

FAULTS = Path(__file__).parents[4] / "shared" / "data" / "checker-faults" / "inputs.jsonl"


def programs() -> list[dict[str, object]]:
    if not FAULTS.exists():
        return []
    rows = map(json.loads, FAULTS.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["language"] == "c"]


@pytest.mark.skipif(not FAULTS.exists(), reason="no list of faults")
@pytest.mark.parametrize("row", programs(), ids=lambda row: str(row["kind"]))
def test_each_program_is_judged_as_its_label_says(row: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "program.c"
    path.write_text(row["code"], encoding="utf-8")
    report = CStaticChecker().check([path])
    assert report.unscored == ()
    assert any(one.cwe == f"CWE-{row['cwe']}" for one in report.findings) == row["vulnerable"]
