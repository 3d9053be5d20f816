"""Baselines: findings that a project knows already, so that only new ones count.

A baseline is a file that `write_baseline` wrote, or an earlier report. A finding is known if the baseline has one of
the same path and pattern, with the same text of its line, wherever the line is now. Each entry answers for one finding:
of two equal lines, the one whose neighbours are the same is the known one. JSON reports and SARIF reports of other
tools hold no text of lines; their findings are matched by line number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlparse

from cosec.checking.finding import Finding
from cosec.errors import DataError
from cosec.files import USUAL, write_atomically
from cosec.scanning.adoption.fingerprints import CONTEXT_FINGERPRINT, LINE_FINGERPRINT, Fingerprint, LineTexts

FORMAT = "cosec check baseline"
"""Names the format of a baseline's file."""

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Known:
    """An entry of a baseline."""

    path: str
    """As the file names it: relative to the baseline's folder, or in a report to the folder that was checked from."""

    pattern: str
    line: int
    """1-based, at the time of writing."""

    text: str | None = None
    """Fingerprint of path, pattern and text of the line; None if the report holds none."""

    context: str | None = None
    """The same with the lines before and after; None if the report holds none."""

    checker: str | None = None
    """Name of the checker that found it; None if it is not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a scan looked for, and so what it did not find."""

    paths: frozenset[str] = frozenset()
    """The files that were judged, as findings name them."""

    patterns: frozenset[str] = frozenset()
    """Ids of the patterns that they were judged by."""

    checkers: frozenset[str] = frozenset()
    """Names of the checkers that ran; empty if one of them could not."""


class Baseline:
    """Known findings, each of which answers for one finding."""

    def __init__(self, entries: Iterable[Known], folder: Path | None = None) -> None:
        """Hold entries.

        Args:
            entries: The known findings.
            folder: The folder that their paths are relative to; None for the working folder.
        """
        self._left: dict[tuple[str, str], list[Known]] = {}
        self._folder = folder
        for entry in entries:
            self._left.setdefault((entry.path, entry.pattern), []).append(entry)

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a baseline, or a JSON or SARIF report.

        Raises:
            DataError: If the file cannot be read, or is neither.
        """
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            if report.get("format") == FORMAT:
                entries = (Known(**_renamed(entry)) for entry in report["findings"])
                return cls(map(_checked, entries), path.absolute().parent)
            return cls(map(_checked, _sarif(report) if "runs" in report else _json(report)))
        except OSError as error:
            raise DataError(f"Cannot read the baseline {str(path)!r}: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise DataError(
                f"{str(path)!r} is no baseline and no report of `cosec check`; write one with --write-baseline."
            ) from None

    def new(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return the findings that no entry answers for, in their order.

        Entries that answer for a finding are used up, so give all findings of a file at once.
        """
        texts = LineTexts()
        prints = {finding: texts.fingerprint(finding, self._named(finding.path)) for finding in findings}
        left = list(findings)
        for is_match in (_same_context, _same_text, _same_line):
            left = [one for one in left if not self._use(one, prints[one], is_match)]
        return tuple(left)

    def stale(self, scope: Scope) -> tuple[Known, ...]:
        """Return the entries that answered for nothing though their finding was looked for, or whose file is gone."""
        names = {self._named(path) for path in scope.paths}
        return tuple(
            entry
            for entry in self.unused()
            if entry.pattern in scope.patterns
            and (scope.checkers if entry.checker is None else entry.checker in scope.checkers)
            and (entry.path in names or not os.path.exists(self._root / entry.path))  # noqa: PTH110 - no error for odd names
        )

    def unused(self) -> tuple[Known, ...]:
        """Return the entries that answered for no finding so far, sorted."""
        return tuple(sorted((one for some in self._left.values() for one in some), key=_order))

    @property
    def _root(self) -> Path:
        return Path() if self._folder is None else self._folder

    def _named(self, path: str) -> str:
        return path if self._folder is None else _relative(path, self._folder)

    def _use(self, finding: Finding, prints: Fingerprint, is_match: _Match) -> bool:
        entries = self._left.get((self._named(finding.path), finding.pattern), [])
        matching = [entry for entry in entries if is_match(entry, finding, prints)]
        if matching:
            entries.remove(min(matching, key=lambda entry: abs(entry.line - finding.line)))
        return bool(matching)


def write_baseline(path: Path, findings: Sequence[Finding], scope: Scope) -> int:
    """Write the findings as a baseline; entries of the file that were not looked for this time stay.

    Args:
        path: The file. If it exists, it must be a baseline that was written so.
        findings: What is known from now on.
        scope: What was looked for.

    Returns:
        The number of entries written.

    Raises:
        DataError: If the file is something else, or cannot be written.
    """
    folder, texts = path.absolute().parent, LineTexts()
    entries = [_entry(one, texts.fingerprint(one, _relative(one.path, folder)), folder) for one in findings]
    if path.exists():
        entries += _kept(path, findings, scope)
    lines = ",\n".join(f"    {json.dumps(_record(entry))}" for entry in sorted(entries, key=_order))
    text = f'{{"format": "{FORMAT}", "version": {_VERSION}, "findings": [\n{lines}\n]}}\n'
    try:
        write_atomically(path, text, mode=USUAL)
    except OSError as error:
        raise DataError(f"Cannot write the baseline {str(path)!r}: {error.strerror}.") from None
    return len(entries)


def _kept(path: Path, findings: Sequence[Finding], scope: Scope) -> list[Known]:
    known = Baseline.read(path)
    if json.loads(path.read_text(encoding="utf-8")).get("format") != FORMAT:
        raise DataError(f"{str(path)!r} is a report, not a baseline; name another file with --write-baseline.")
    known.new(findings)
    stale = set(known.stale(scope))
    return [entry for entry in known.unused() if entry not in stale]


_Match = Callable[[Known, Finding, Fingerprint], bool]


def _same_context(entry: Known, finding: Finding, prints: Fingerprint) -> bool:
    return entry.context is not None and entry.context == prints.context


def _same_text(entry: Known, finding: Finding, prints: Fingerprint) -> bool:
    return entry.text is not None and entry.text == prints.text


def _same_line(entry: Known, finding: Finding, prints: Fingerprint) -> bool:
    return entry.text is None and entry.line == finding.line


def _order(entry: Known) -> tuple[str, int, str, str]:
    return entry.path, entry.line, entry.pattern, entry.text or ""


def _relative(path: str, folder: Path) -> str:
    return Path(os.path.relpath(Path(path).absolute(), folder)).as_posix()


def _entry(finding: Finding, prints: Fingerprint, folder: Path) -> Known:
    return Known(
        path=_relative(finding.path, folder),
        pattern=finding.pattern,
        line=finding.line,
        text=prints.text,
        context=prints.context,
        checker=finding.checker,
    )


def _record(entry: Known) -> dict[str, Any]:
    return {
        "path": entry.path,
        "rule": entry.pattern,
        "line": entry.line,
        "text": entry.text,
        "context": entry.context,
        "checker": entry.checker,
    }


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"pattern" if name == "rule" else name: value for name, value in record.items()}


def _checked(entry: Known) -> Known:
    """Return the entry.

    Raises:
        TypeError: If a value of it is of another type than it must be.
    """
    texts = (entry.path, entry.pattern, *(one for one in (entry.text, entry.context, entry.checker) if one is not None))
    if not isinstance(entry.line, int) or not all(isinstance(one, str) for one in texts):
        raise TypeError
    return entry


def _json(report: Mapping[str, Any]) -> Iterator[Known]:
    for finding in report["findings"]:
        yield Known(path=finding["path"], pattern=finding["rule"], line=int(finding["line"]))


def _sarif(report: Mapping[str, Any]) -> Iterator[Known]:
    for run in report["runs"]:
        for result in run.get("results") or ():
            if result.get("suppressions"):
                continue  # accepted by its comment, and new if that is removed
            place = (result.get("locations") or [{}])[0].get("physicalLocation", {})
            uri, line = place.get("artifactLocation", {}).get("uri"), place.get("region", {}).get("startLine")
            if uri is None or line is None or "ruleId" not in result:
                continue  # SARIF requires none of them, and no finding here lacks one
            prints = result.get("partialFingerprints", {})
            text, context = prints.get(LINE_FINGERPRINT), prints.get(CONTEXT_FINGERPRINT)
            yield Known(
                path=os.fsdecode(unquote_to_bytes(urlparse(uri).path)),
                pattern=result["ruleId"],
                line=int(line),
                # The suffix numbers equal lines, so it changes when one is inserted.
                text=text.split(":")[0] if text else None,
                context=context,
                checker=result.get("properties", {}).get("checker"),
            )
