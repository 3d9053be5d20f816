"""What checkers say of one file, and the one result that it makes.

This module imports no checker, so that it can describe results before and after they travel between processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.scanning.files import SourceFile

SANITIZER = "sanitizer"
"""Name of the checker that runs programs instead of reading them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The answer of one checker about one file."""

    checker: str

    patterns: frozenset[str]
    """The patterns that it looked for."""

    report: CheckReport


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What is known of one file after all chosen checkers have judged it."""

    file: SourceFile

    findings: tuple[Finding, ...] = ()
    """In the order of their lines; paths are the shown ones."""

    unscored: tuple[Unscored, ...] = ()
    """Reasons why the file was not judged, or not by all of the wanted patterns."""

    partial: tuple[Unscored, ...] = ()
    """What was left out where the file was judged."""


def file_result(file: SourceFile, judgements: Sequence[Judgement], *, unscored: Iterable[Unscored] = ()) -> FileResult:
    """Merge the answers of all checkers about a file.

    Args:
        file: The file.
        judgements: One of each checker that read it; of equal findings, the first checker's stays.
        unscored: Further reasons why it was not judged.
    """
    reports = [replace(one.report, unscored=()) for one in judgements]
    merged = CheckReport.merged([*reports, CheckReport(unscored=(*unscored, *_left(judgements)))])
    return FileResult(
        file=file,
        findings=tuple(sorted(replace(one, path=file.shown) for one in merged.findings)),
        unscored=tuple(sorted(replace(one, path=file.shown) for one in merged.unscored)),
        partial=tuple(sorted(replace(one, path=file.shown) for one in merged.partial)),
    )


def _left(judgements: Sequence[Judgement]) -> Iterator[Unscored]:
    """Iterate over the reasons of checkers whose patterns no other checker judged in the file.

    A file that one checker cannot read counts as judged if another one looked for the same patterns in it: semgrep
    parses some C files only in part. Static checkers do not replace a run, nor does a run replace them.
    """
    for judgement in judgements:
        readers = (one for one in judgements if one.checker != SANITIZER and not one.report.unscored)
        covered = frozenset[str]().union(*(one.patterns for one in readers))
        if judgement.checker == SANITIZER or judgement.patterns - covered:
            yield from judgement.report.unscored
