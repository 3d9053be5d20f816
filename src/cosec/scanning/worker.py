"""Judging files one by one: the work of one process of a scan.

As a process of its own, it reads `Job` objects from its standard input and writes an `Answer` to each, both pickled.
"""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from cosec.checking.finding import CheckReport, EntryPoints, FileChecker, Unscored
from cosec.checking.time_limit import OutOfTime, time_limit
from cosec.scanning.judgement import Judgement

FILE_SECONDS = 5.0
"""Processor time for one file and checker; what was found until then is kept."""

CUT_SHORT = "not fully judged: it takes too long"
"""The reason of files that reached a time limit."""


_FILES_PER_COLLECTION = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file to be judged."""

    path: str
    content: bytes

    checkers: tuple[tuple[str, frozenset[str]], ...]
    """Names of checkers that judge each file by itself, each with the patterns to look for."""

    entry_points: EntryPoints = "all"
    """The functions whose parameters are untrusted."""

    version: str = ""
    """What else the findings depend on, such as the version of an outside program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the checkers of a `Job` say."""

    judgements: tuple[Judgement, ...]

    lasting: bool
    """Whether another run would say the same; not so after a time limit."""


def judge(job: Job, checkers: Sequence[FileChecker] | None = None) -> Answer:
    """Judge one file.

    Args:
        job: The file.
        checkers: Those that the job names; None to make them here.
    """
    made = checkers if checkers is not None else [_checker(name, job.entry_points) for name, _ in job.checkers]
    judgements, lasting = [], True
    for (name, patterns), checker in zip(job.checkers, made, strict=True):
        report, complete = _report(checker, job, patterns)
        lasting = lasting and complete
        judgements.append(Judgement(checker=name, patterns=patterns, report=report))
    return Answer(judgements=tuple(judgements), lasting=lasting)


def _report(checker: FileChecker, job: Job, patterns: frozenset[str]) -> tuple[CheckReport, bool]:
    """Return a checker's report, and whether it was made within the time limit."""
    try:
        with time_limit(FILE_SECONDS) as limit:
            report = checker.check_content(Path(job.path), job.content, patterns=patterns)
        return report, not limit.reached
    except OutOfTime:
        return CheckReport(unscored=(Unscored(path=job.path, reason=CUT_SHORT),)), False


@cache
def _checker(name: str, entry_points: EntryPoints) -> FileChecker:
    from cosec.checking.registry import make_checker

    return cast(FileChecker, make_checker(name, entry_points=entry_points))


def main() -> None:
    """Answer jobs until the standard input ends."""
    # Nearly all objects of an analysis die with their last reference: looking for cycles costs a sixth of its time.
    gc.freeze()
    gc.disable()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for count in itertools.count(1):
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(judge(job), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
        if count % _FILES_PER_COLLECTION == 0:
            gc.collect()
