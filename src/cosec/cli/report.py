"""``cosec report``: write the report of a study, finished or not, and read secure verdicts for it."""

from __future__ import annotations

import getpass
from pathlib import Path

from cosec.errors import SettingsError


def report(
    folder: Path,
    /,
    *,
    against: str = "origin",
    audit: int | None = None,
    audit_seed: int | None = None,
    reader: str | None = None,
) -> None:
    """Write report.md, report.csv, report.html and figures of a study, finished or not; of a frontier its files too.

    Args:
        folder: The study's --out folder.
        against: The arm that differences are to.
        audit: First show so many secure verdicts of every benchmark and arm, drawn at random, and ask about each
            whether it is secure. Answers are kept in the folder; the same command continues. The report corrects the
            rate of secure completions by them.
        audit_seed: Seed of the draw, 0 if not given; all readers of a study need the same.
        reader: Who reads; the name of the user if not given.
    """
    from rich.console import Console

    from cosec.evaluation.report import read_results, write_frontier, write_report
    from cosec.evaluation.study import StudyFolder

    if audit is None and (audit_seed is not None or reader is not None):
        raise SettingsError("--audit-seed and --reader have no effect without --audit.")
    if audit is not None and audit < 1:
        raise SettingsError("--audit needs a number of verdicts of at least 1.")
    console, results = Console(), read_results(StudyFolder(folder), against)
    if audit is not None:
        from cosec.cli.views.audit import read_verdicts

        read_verdicts(
            StudyFolder(folder), results, console, count=audit, seed=audit_seed or 0, reader=reader or _user()
        )
        results = read_results(StudyFolder(folder), against)
    for path in write_report(StudyFolder(folder), results):
        console.print(str(path), soft_wrap=True, highlight=False)
    if any(":" in arm for arm in results.settings.arms):
        write_frontier(StudyFolder(folder), results)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise SettingsError("The name of the user is not known; say who reads with --reader.") from None
