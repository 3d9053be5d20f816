"""``cosec report``: write the report of a study, finished or not."""

from __future__ import annotations

from pathlib import Path


def report(folder: Path, /, *, against: str = "origin") -> None:
    """Write report.md, report.csv, report.html and figures of a study, finished or not; of a frontier its files too.

    Args:
        folder: The study's --out folder.
        against: The arm that differences are to.
    """
    from rich.console import Console

    from cosec.evaluation.report import read_results, write_frontier, write_report
    from cosec.evaluation.study import StudyFolder

    console, results = Console(), read_results(StudyFolder(folder), against)
    for path in write_report(StudyFolder(folder), results):
        console.print(str(path), soft_wrap=True, highlight=False)
    if any(":" in arm for arm in results.settings.arms):
        write_frontier(StudyFolder(folder), results)
