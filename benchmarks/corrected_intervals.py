"""Differences of a study's arms to origin, with intervals corrected for the number of arms (Bonferroni).

    python benchmarks/corrected_intervals.py STUDY OUT.json

With m arms beside origin, each interval has the level 1 - 0.05 / m, so that all m together miss at most once in twenty
studies. Five times the usual bootstrap draws keep the outer quantiles steady. Units: percentage points.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.statistics import intervals
from cosec.evaluation.study.records import StudyFolder

METRICS = ("engaged_security", "functional", "joint", "pass@1")


def main(folder: Path, out: Path) -> None:
    """Write the differences of every benchmark and arm."""
    study = StudyFolder(folder)
    arms = len(study.manifest()["identity"]["arms"]) - 1
    intervals.LEVEL = 1 - 0.05 / arms
    found = [
        {
            "benchmark": one.benchmark,
            "arm": one.arm,
            "metric": one.metric,
            "points": [None if value is None else round(100 * value, 1) for value in (gain.value, gain.low, gain.high)],
        }
        for one in read_results(study).estimates
        if one.metric in METRICS and one.cwe == "all" and (gain := one.difference) is not None
    ]
    record = {"comparisons": arms, "level": intervals.LEVEL, "differences": found}
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
