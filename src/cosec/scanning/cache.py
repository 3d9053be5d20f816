"""Kept judgements of files: an unchanged file is not judged again.

An entry is found by the content and name of a file, the names of the folders around it, the checkers that judge it with
their patterns, and everything of this package and its parsers that can change what they say. It holds as long as the
other files that a checker read are the same. Each entry is a file of its own that is written at once, so several
processes may share a folder. A folder that cannot be written is only read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.checking.python.project import surroundings
from cosec.files import write_atomically
from cosec.scanning.judgement import Judgement
from cosec.scanning.worker import Job

UNUSED_DAYS = 30
"""Entries of other versions of the checkers are deleted after so many days without use."""

_FOLDER = "check"


class JudgementCache:
    """Judgements by what they depend on.

    Args:
        folder: The cache folder of this program; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER / checkers_digest()
        self._writable = True
        self._used = False
        self._digests: dict[str, str] = {}
        """Of other files that judgements depend on, as they are in this scan."""

    def place(self, job: Job) -> Path:
        """Return the file of a job's judgements."""
        asked = {name: sorted(patterns) for name, patterns in job.checkers}
        path = Path(job.path)
        known = [path.name, surroundings(path), asked, job.entry_points, job.version]
        digest = hashlib.sha256(json.dumps(known).encode())
        digest.update(job.content)
        name = digest.hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.json"

    def get(self, place: Path, job: Job) -> tuple[Judgement, ...] | None:
        """Return the judgements of a job; None if they are not kept."""
        try:
            records = json.loads(place.read_text(encoding="utf-8"))
            if self._combined(Path(job.path).parent, records["also_read"]) != records["also_read_digest"]:
                return None
            judgements = tuple(
                Judgement(checker=name, patterns=patterns, report=_report(records[name], job.path))
                for name, patterns in job.checkers
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        self._mark_used()
        return judgements

    def _combined(self, folder: Path, names: list[str]) -> str:
        """Return a digest of the other files that a judgement depends on; names are relative to ``folder``."""
        # No Path objects: a tree of thousands of files asks this a million times.
        places = (os.path.normpath(f"{folder}/{name}") for name in names)
        return hashlib.sha256("".join(map(self._digest, places)).encode()).hexdigest()

    def _digest(self, place: str) -> str:
        """Return a digest of a file's content; ``-`` if it cannot be read."""
        if place not in self._digests:
            try:
                self._digests[place] = hashlib.sha256(Path(place).read_bytes()).hexdigest()
            except OSError:
                self._digests[place] = "-"
        return self._digests[place]

    def put(self, place: Path, job: Job, judgements: tuple[Judgement, ...]) -> None:
        """Keep the judgements of a job; in a folder that cannot be written, do nothing."""
        if not self._writable:
            return
        folder = Path(job.path).parent
        names = sorted({os.path.relpath(path, folder) for one in judgements for path in one.report.also_read})
        records: dict[str, Any] = {one.checker: _record(one.report) for one in judgements}
        records |= {"also_read": names, "also_read_digest": self._combined(folder, names)}
        try:
            write_atomically(place, json.dumps(records))
        except OSError:
            self._writable = False
        self._mark_used()

    def _mark_used(self) -> None:
        """Note the day of use, and delete the entries of checkers that were not used for long; once a scan."""
        if self._used:
            return
        self._used = True
        try:
            os.utime(self._folder)
            oldest = time.time() - UNUSED_DAYS * 86400
            for folder in self._folder.parent.iterdir():
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            return


@cache
def checkers_digest() -> str:
    """Return a digest of all code and data that decides what checkers find.

    It covers the source of `cosec.checking` and `cosec.scanning`, the version of Python, whose grammar is used, and of
    the other parsers.
    """
    digest = hashlib.sha256(repr(sys.version_info).encode())
    for package in ("tree-sitter", "tree-sitter-c", "tree-sitter-python"):
        try:
            digest.update(version(package).encode())
        except PackageNotFoundError:
            digest.update(b"none")
    root = Path(__file__).parents[1]
    for path in sorted(path for room in ("checking", "scanning") for path in (root / room).rglob("*")):
        if path.suffix in {".py", ".yaml", ".c"}:
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _record(report: CheckReport) -> dict[str, Any]:
    findings = [{name: value for name, value in one.to_record().items() if name != "path"} for one in report.findings]
    partial = [one.reason for one in report.partial]
    return {"findings": findings, "unscored": [one.reason for one in report.unscored], "partial": partial}


def _report(record: dict[str, Any], path: str) -> CheckReport:
    return CheckReport(
        findings=tuple(Finding.from_record({**one, "path": path}) for one in record["findings"]),
        unscored=tuple(Unscored(path=path, reason=str(reason)) for reason in record["unscored"]),
        partial=tuple(Unscored(path=path, reason=str(reason)) for reason in record["partial"]),
    )
