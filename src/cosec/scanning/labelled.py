"""Accuracy of the checkers on programs that are known to be vulnerable or not.

A labelled set is a JSONL file. Each line has ``code``, ``lang`` (``py`` or ``c``) and ``vulnerable`` (true or false).
It may have ``id``, and ``cwe`` (``"089"`` or ``"CWE-089"``) if only findings of that weakness count for the program.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.checking.finding import EntryPoints
from cosec.checking.patterns import PATTERNS, Language, related_cwes
from cosec.errors import DataError
from cosec.files import is_unicode, why_unreadable
from cosec.scanning import scan

ALL = "all"
"""Name of the group of all programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A program with its label."""

    id: str
    code: str
    language: Language
    cwe: str | None
    """``CWE-089``; None if any finding counts."""
    vulnerable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A confusion matrix."""

    found: int
    """Vulnerable programs with a finding."""
    missed: int
    """Vulnerable programs without one, unscored ones included."""
    alarms: int
    """Programs without the weakness that have a finding."""
    silent: int
    """Programs without the weakness and without a finding."""
    unscored: int
    """Programs that no checker could judge, of either label."""

    @property
    def recall(self) -> float | None:
        """Share of vulnerable programs with a finding; None if there are no such programs."""
        return _share(self.found, self.found + self.missed)

    @property
    def precision(self) -> float | None:
        """Share of programs with a finding that are vulnerable; None if nothing was found."""
        return _share(self.found, self.found + self.alarms)

    @property
    def false_alarms(self) -> float | None:
        """Share of programs without the weakness that have a finding; None if there are no such programs."""
        return _share(self.alarms, self.alarms + self.silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Accuracy on a labelled set."""

    groups: dict[str, Counts]
    """By ``py`` and ``c``, by ``py CWE-089`` and so on, and ``all``."""

    missed: tuple[str, ...]
    """Ids of vulnerable programs without a finding."""

    alarms: tuple[str, ...]
    """Ids of programs with a finding that do not have the weakness."""

    errors: tuple[str, ...]
    """Checkers that could not run."""


def read_labelled(path: Path) -> list[Labelled]:
    """Read the programs of a labelled set.

    Raises:
        DataError: If the file cannot be read or a line is malformed; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the labelled programs in {path}: {why_unreadable(error)}.") from error
    programs = [_program(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not programs:
        raise DataError(f"{path} contains no labelled program.")
    return programs


def measure(
    programs: Sequence[Labelled],
    *,
    checkers: Sequence[str] = (),
    patterns: Collection[str] | None = None,
    dynamic: bool = False,
    entry_points: EntryPoints = "all",
) -> Measured:
    """Scan every program and count the findings; the arguments are those of `scan`.

    By default all functions are entry points: each program is judged by itself, without the files that call it.
    """
    with tempfile.TemporaryDirectory(prefix="cosec-labelled-") as folder:
        paths = [Path(folder) / f"{index}.{one.language}" for index, one in enumerate(programs)]
        for path, one in zip(paths, programs, strict=True):
            path.write_text(one.code, encoding="utf-8")
        scanned = scan(paths, checkers=checkers, patterns=patterns, dynamic=dynamic, entry_points=entry_points)
    cwes: dict[str, set[str]] = defaultdict(set)
    for finding in scanned.report.findings:
        cwes[Path(finding.path).name].add(finding.cwe)
    unscored = {Path(one.path).name for one in scanned.report.unscored}
    rows = []
    for path, one in zip(paths, programs, strict=True):
        found = bool(cwes[path.name]) if one.cwe is None else bool(cwes[path.name] & related_cwes(one.cwe))
        rows.append((one, found, path.name in unscored and not found))
    return Measured(
        groups={name: _counts(members) for name, members in sorted(_grouped(rows).items())},
        missed=tuple(one.id for one, found, _ in rows if one.vulnerable and not found),
        alarms=tuple(one.id for one, found, _ in rows if found and not one.vulnerable),
        errors=scanned.errors,
    )


Row = tuple[Labelled, bool, bool]
"""A program, whether it has a finding, and whether it is unscored."""


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[ALL].append(row)
        groups[row[0].language].append(row)
        if row[0].cwe is not None:
            groups[f"{row[0].language} {row[0].cwe}"].append(row)
    return groups


def _counts(rows: Sequence[Row]) -> Counts:
    weak = [found for one, found, _ in rows if one.vulnerable]
    sound = [found for one, found, _ in rows if not one.vulnerable]
    return Counts(
        found=sum(weak),
        missed=len(weak) - sum(weak),
        alarms=sum(sound),
        silent=len(sound) - sum(sound),
        unscored=sum(left for _, _, left in rows),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _program(path: Path, number: int, line: str) -> Labelled:
    place = f"Line {number} of {path}"
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place} is not JSON: {error}.") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("code"), str):
        raise DataError(f"{place} needs text under code.")
    if not is_unicode(f"{entry['code']}{entry.get('id')}"):
        raise DataError(f"{place} has one half of a surrogate pair in code or id; write both, or none.")
    if entry.get("lang") not in ("py", "c") or not isinstance(entry.get("vulnerable"), bool):
        raise DataError(f'{place} needs lang ("py" or "c") and vulnerable (true or false).')
    cwe = entry.get("cwe")
    if cwe is not None:
        cwe = f"CWE-{str(cwe).upper().removeprefix('CWE-'):0>3}"
        if cwe not in {pattern.cwe for pattern in PATTERNS.values()}:
            raise DataError(f"{place} is about {cwe}, which no pattern here looks for.")
    return Labelled(
        id=str(entry.get("id", number)),
        code=entry["code"],
        language=entry["lang"],
        cwe=cwe,
        vulnerable=entry["vulnerable"],
    )
