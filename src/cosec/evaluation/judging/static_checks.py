"""Static checks of completed programs: each checker starts once for many programs, and nothing is run."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cosec.checking.c.driver_inputs import DriverVerdict
from cosec.checking.finding import Checker, CheckReport, Finding
from cosec.checking.patterns import Language


def check_programs(
    programs: Iterable[str], checkers: Sequence[Checker], *, patterns: Collection[str], language: Language
) -> dict[str, DriverVerdict]:
    """Findings in every distinct program, and why it could not be judged, by its text.

    Args:
        programs: Sources, all in one language.
        checkers: Each is asked for those of the patterns that it knows.
        patterns: Ids of the patterns to look for.
        language: Of the programs.

    Raises:
        CheckerError: If a checker cannot run.
    """
    names = {program: f"{index}.{language}" for index, program in enumerate(dict.fromkeys(programs))}
    if not names:
        return {}
    wanted = frozenset(patterns)
    with tempfile.TemporaryDirectory(prefix="cosec-judged-") as folder:
        for program, name in names.items():
            (Path(folder) / name).write_text(program, encoding="utf-8")
        paths = [Path(folder) / name for name in names.values()]
        report = CheckReport.merged(
            one.check(paths, patterns=sorted(one.patterns & wanted)) for one in checkers if one.patterns & wanted
        )
    findings: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        findings[Path(finding.path).name].append(_without_folder(finding))
    unscored = {Path(one.path).name: one.reason for one in report.unscored}
    return {
        program: DriverVerdict(findings=tuple(findings[name]), unscored=unscored.get(name))
        for program, name in names.items()
    }


def _without_folder(finding: Finding) -> Finding:
    """The finding without the temporary folder, so that records of two runs are equal."""
    return replace(finding, path=f"completion{Path(finding.path).suffix}")
