"""Scan files and folders with the chosen checkers, and keep what nobody could judge and what could not run.

Knows nothing about report formats or exit codes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cosec.checking.finding import CheckReport, Unscored
from cosec.checking.patterns import PATTERNS, Language
from cosec.checking.registry import CHECKERS, default_checkers, make_checker
from cosec.errors import CheckerError, SandboxError

SUFFIXES: dict[str, Language] = {".py": "py", ".c": "c", ".h": "c"}
"""File name endings that are looked for in folders."""

_SKIPPED = {"__pycache__", "node_modules"}
_MAIN = re.compile(r"^[^\n/#*]*\bmain\s*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is known about a set of files."""

    files: int
    """How many files were looked at."""

    report: CheckReport
    """Paths are relative to the working folder where they lie below it."""

    errors: tuple[str, ...] = ()
    """What kept files or checkers from being part of it, a sentence each."""


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
        checkers: Names of `registry.CHECKERS`; each language's own choice where empty.
        patterns: Only these ids of `patterns.PATTERNS`.
        dynamic: Also run C files that have a ``main`` under the sanitizers.

    Returns:
        Findings of all checkers; a file that one of them could not judge is unscored and keeps the others' findings.
    """
    found, errors = _collect(paths)
    languages = {language for path in found if (language := SUFFIXES.get(path.suffix)) is not None}
    wanted = frozenset(PATTERNS) if patterns is None else frozenset(patterns)
    asked = {PATTERNS[pattern].language for pattern in wanted} & languages
    chosen = {language: checkers or default_checkers(language) for language in sorted(asked)}
    names = list(dict.fromkeys(name for some in [checkers, *chosen.values()] for name in some))
    if dynamic and "sanitizer" not in names:
        names.append("sanitizer")
    reports, judged, all_ran = [_unknown_kind(found)], set[Path](), True
    for name in names:
        reads = _languages(name)
        mine = [path for path in found if (language := SUFFIXES.get(path.suffix)) is not None and language in reads]
        if name != "sanitizer":
            mine = [path for path in mine if name in chosen.get(SUFFIXES[path.suffix], ())]
        else:
            mine = [path for path in mine if path.suffix == ".c" and _has_main(path)]
        try:
            checker = make_checker(name)
            known = checker.patterns & wanted
            mine = [
                path for path in mine if any(PATTERNS[pattern].language == SUFFIXES[path.suffix] for pattern in known)
            ]
            if mine:
                reports.append(checker.check(mine, patterns=known))
                judged.update(mine)
        except (CheckerError, SandboxError) as error:
            errors.append(f"{name}: {error}")
            all_ran = False
    if all_ran:
        reports.append(_unjudged(found, judged, asked))
    return Scan(files=len(found), report=_as_shown(CheckReport.merged(reports)), errors=tuple(errors))


def shown_path(path: str | Path) -> str:
    """The path relative to the working folder where it lies below it, with forward slashes."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
    here = Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.as_posix()


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


def _unknown_kind(found: Sequence[Path]) -> CheckReport:
    reason = "neither Python nor C by its name (.py, .c, .h)"
    return CheckReport(
        unscored=tuple(Unscored(path=str(path), reason=reason) for path in found if path.suffix not in SUFFIXES)
    )


def _unjudged(found: Sequence[Path], judged: Collection[Path], asked: Collection[Language]) -> CheckReport:
    """Files that no chosen checker was given, where the patterns asked for say something about their language."""
    reason = "none of the chosen checkers judges it"
    return CheckReport(
        unscored=tuple(
            Unscored(path=str(path), reason=reason)
            for path in found
            if path not in judged and SUFFIXES.get(path.suffix) in asked
        )
    )


def _as_shown(report: CheckReport) -> CheckReport:
    return CheckReport(
        findings=tuple(sorted(replace(one, path=shown_path(one.path)) for one in report.findings)),
        unscored=tuple(sorted(replace(one, path=shown_path(one.path)) for one in report.unscored)),
    )
