"""Scan files and folders with the chosen checkers; list the files that none could judge and the checkers that failed.

Knows nothing about report formats or exit codes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cosec.checking.finding import CheckReport, Unscored
from cosec.checking.patterns import PATTERNS, Language
from cosec.checking.registry import CHECKERS, default_checkers, make_checker
from cosec.errors import CheckerError, SandboxError

SUFFIXES: dict[str, Language] = {".py": "py", ".c": "c", ".h": "c"}
"""File name endings that are looked for in folders."""

SANITIZER = "sanitizer"
"""Name of the checker that runs programs instead of reading them."""

_SKIPPED = {"__pycache__", "node_modules"}
_MAIN = re.compile(r"^[^\n/#*]*\bmain\s*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The result of a scan."""

    files: int
    """Number of files that were looked at."""

    report: CheckReport
    """Paths inside the working folder are relative to it."""

    errors: tuple[str, ...] = ()
    """Missing files and checkers that could not run, a sentence each."""


def scan(
    paths: Sequence[Path],
    *,
    checkers: Sequence[str] = (),
    patterns: Collection[str] | None = None,
    dynamic: bool = False,
) -> Scan:
    """Look for weaknesses in files, and in the Python and C files of folders.

    Args:
        paths: Files and folders; hidden folders inside them are left out.
        checkers: Names of `registry.CHECKERS`; empty for the defaults of each language.
        patterns: Look for these ids of `patterns.PATTERNS` only.
        dynamic: Also run C files that have a ``main`` under the sanitizers.

    Returns:
        Findings of all checkers. A file is unscored if no checker judged it by one of the patterns.
    """
    found, errors = _collect(paths)
    wanted = frozenset(PATTERNS) if patterns is None else frozenset(patterns)
    asked = {PATTERNS[pattern].language for pattern in wanted} & set(filter(None, map(_language, found)))
    judgements: list[_Judgement] = []
    all_ran = True
    for name, reads in _assignments(found, checkers, asked, dynamic).items():
        try:
            judgements.append(_judgement(name, reads, wanted))
        except (CheckerError, SandboxError) as error:
            errors.append(f"{name}: {error}")
            all_ran = False
    unscored = [*_unknown_kind(found), *_unscored(judgements)]
    if all_ran:
        unscored += _not_assigned(found, judgements, asked)
    findings = (replace(one.report, unscored=()) for one in judgements)
    merged = CheckReport.merged([*findings, CheckReport(unscored=tuple(unscored))])
    return Scan(files=len(found), report=_as_shown(merged), errors=tuple(errors))


@dataclass(frozen=True)
class _Judgement:
    """The answer of one checker about the files that it was given."""

    checker: str
    patterns: frozenset[str]
    """The patterns that it looked for."""

    paths: tuple[Path, ...]
    report: CheckReport

    @cached_property
    def judged(self) -> frozenset[str]:
        """The files that it judged."""
        return frozenset(map(str, self.paths)) - {one.path for one in self.report.unscored}


def _assignments(
    found: Sequence[Path], checkers: Sequence[str], asked: Collection[Language], dynamic: bool
) -> dict[str, list[Path]]:
    """Return the names of the checkers to run, each with the files that it reads."""
    chosen = {language: checkers or default_checkers(language) for language in sorted(asked)}
    names = dict.fromkeys(name for some in [checkers, *chosen.values()] for name in some)
    assigned = {}
    for name in [*names, *((SANITIZER,) if dynamic and SANITIZER not in names else ())]:
        files = [path for path in found if _language(path) in _languages(name)]
        if name == SANITIZER:
            assigned[name] = [path for path in files if path.suffix == ".c" and _has_main(path)]
        else:
            assigned[name] = [path for path in files if name in chosen.get(SUFFIXES[path.suffix], ())]
    return assigned


def _judgement(name: str, paths: Sequence[Path], wanted: frozenset[str]) -> _Judgement:
    checker = make_checker(name)
    known = checker.patterns & wanted
    languages = {PATTERNS[pattern].language for pattern in known}
    reads = tuple(path for path in paths if _language(path) in languages)
    report = checker.check(reads, patterns=known) if reads else CheckReport()
    return _Judgement(name, known, reads, report)


def _unscored(judgements: Sequence[_Judgement]) -> Iterator[Unscored]:
    """Iterate over files that no checker judged by one of the patterns, with a checker's reason.

    A file that one checker cannot read counts as judged if another one looked for the same patterns in it: semgrep
    parses some C files only in part. Static checkers do not replace a run, nor does a run replace them.
    """
    for judgement in judgements:
        for one in judgement.report.unscored:
            language = SUFFIXES[Path(one.path).suffix]
            missing = {pattern for pattern in judgement.patterns if PATTERNS[pattern].language == language}
            readers = [other for other in judgements if other.checker != SANITIZER and one.path in other.judged]
            covered = frozenset[str]().union(*(other.patterns for other in readers))
            if judgement.checker == SANITIZER or missing - covered:
                yield one


def shown_path(path: str | Path) -> str:
    """Return the path with forward slashes, relative to the working folder if it is inside."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
    here = Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.as_posix()


def _language(path: Path) -> Language | None:
    return SUFFIXES.get(path.suffix)


def _languages(name: str) -> frozenset[Language]:
    return CHECKERS[name].languages if name in CHECKERS else frozenset()


def _collect(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    found: dict[Path, None] = {}
    errors = []
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_walk(path)))
        elif path.is_file():
            found[path] = None
        else:
            errors.append(f"There is no file or folder {str(path)!r}.")
    by_name = {shown_path(path): path for path in reversed(found)}
    return [by_name[name] for name in dict.fromkeys(map(shown_path, found))], errors


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(files):
            path = Path(root) / name
            if path.suffix in SUFFIXES and path.is_file():
                yield path


def _has_main(path: Path) -> bool:
    try:
        return _MAIN.search(path.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def _unknown_kind(found: Sequence[Path]) -> Iterator[Unscored]:
    reason = "neither Python nor C by its name (.py, .c, .h)"
    return (Unscored(path=str(path), reason=reason) for path in found if path.suffix not in SUFFIXES)


def _not_assigned(
    found: Sequence[Path], judgements: Sequence[_Judgement], asked: Collection[Language]
) -> Iterator[Unscored]:
    """Iterate over files that no chosen checker reads, in the languages of the wanted patterns."""
    read = {path for one in judgements for path in one.paths}
    reason = "none of the chosen checkers judges it"
    return (Unscored(path=str(path), reason=reason) for path in found if path not in read and _language(path) in asked)


def _as_shown(report: CheckReport) -> CheckReport:
    return CheckReport(
        findings=tuple(sorted(replace(one, path=shown_path(one.path)) for one in report.findings)),
        unscored=tuple(sorted(replace(one, path=shown_path(one.path)) for one in report.unscored)),
    )
