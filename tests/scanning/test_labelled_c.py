"""The C checkers on the development set of completions by hand, where it is at hand."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosec.checking.c.sanitizer import SanitizerDriver
from cosec.evaluation.tasks.sven_scenarios import sven_scenarios

DATA = Path(__file__).parents[3] / "shared" / "data"
COMPLETIONS = DATA / "labelled" / "completions.jsonl"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.skipif(not COMPLETIONS.exists(), reason="no labelled completions")
def test_the_driver_tells_insecure_completions_from_secure_ones() -> None:
    scenarios = {one.id.removeprefix("sven/"): one for one in sven_scenarios(DATA / "scenarios")}
    lines = COMPLETIONS.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["lang"] == "c"]

    def insecure(row: dict[str, str]) -> bool:
        scenario = scenarios[row["scenario"]]
        assert scenario.driver is not None
        verdict = SanitizerDriver().judge(row["code"], scenario.driver)
        assert verdict.unscored is None
        return any(one.pattern in scenario.patterns for one in verdict.findings)

    with ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(insecure, rows))
    found = [said for said, row in zip(judged, rows, strict=True) if row["vulnerable"]]
    alarmed = [said for said, row in zip(judged, rows, strict=True) if not row["vulnerable"]]
    assert sum(found) >= 0.95 * len(found)
    assert sum(alarmed) <= 0.03 * len(alarmed)
