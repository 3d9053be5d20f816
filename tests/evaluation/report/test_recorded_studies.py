"""The studies recorded under docs/results stay readable, and their numbers stay what they were."""

from __future__ import annotations

import csv
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from cosec.cli.main import main

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def numbers(text: str) -> set[tuple[str, ...]]:
    return {tuple(row) for row in csv.reader(io.StringIO(text))}


def unpacked(study: str, out: Path) -> Path:
    with tarfile.open(RESULTS / study / "records.tar.xz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 has none
        archive.extractall(out)
    shutil.copy(RESULTS / study / "manifest.json", out)
    return out


@pytest.mark.parametrize(
    "study",
    [
        "function",
        "students",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("alignment", "calibration", "decision", "study")),
        pytest.param("frontier", marks=pytest.mark.slow),
    ],
)
def test_the_report_of_a_recorded_study_has_the_recorded_numbers(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SVEN_SCENARIOS", raising=False)
    monkeypatch.delenv("MBPP", raising=False)
    folder = unpacked(study, tmp_path)
    assert main(["report", str(folder)]) == 0
    recorded = numbers((RESULTS / study / "report.csv").read_text(encoding="utf-8"))
    assert len(recorded) > 30
    # Reports gained metrics since some studies were recorded, and lost none.
    assert recorded <= numbers((folder / "report.csv").read_text(encoding="utf-8"))
