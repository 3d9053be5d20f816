"""The result of a checker: findings, and the files that it could not judge.

A file that a checker could not judge is *unscored*, with a reason. It is never counted as clean. A checker that
cannot run at all raises `cosec.errors.CheckerError`.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

Severity = Literal["error", "warning", "note"]
"""SARIF's levels, most severe first: a proven flow from a source, a plausible one, hygiene.

A level says how sure a finding is. How much harm its weakness does is `patterns.Pattern.security_severity`.
"""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Every level, most severe first."""

EntryPoints = Literal["declared", "all"]
"""Functions whose parameters are untrusted text.

``declared``: those that a framework or the command line calls, such as routes, commands and message handlers. ``all``:
also each function that nothing in its file calls, for programs that are judged by themselves.
"""


def weaker(first: Severity, second: Severity) -> Severity:
    """Return the less severe of two levels."""
    return max(first, second, key=SEVERITIES.index)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One weakness at one line."""

    path: str
    """The file, as it was passed to the checker."""

    line: int
    """1-based."""

    pattern: str
    """An id of `cosec.checking.patterns.PATTERNS`, such as ``py/sql-injection``."""

    cwe: str
    """``CWE-089``: three digits."""

    message: str
    """One sentence."""

    severity: Severity
    """How sure the finding is."""

    checker: str
    """Name of the checker: ``flow``, ``semgrep``, ``sanitizer``, …"""

    def to_record(self) -> dict[str, Any]:
        """Make the JSON form of reports and recorded studies; the pattern is under ``rule``, as SARIF calls it."""
        record = dataclasses.asdict(self)
        return {("rule" if name == "pattern" else name): value for name, value in record.items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            TypeError: If a field is missing or unknown.
        """
        return cls(**{("pattern" if name == "rule" else name): value for name, value in record.items()})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unscored:
    """A file that could not be judged."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The results of one or more checkers for a set of files."""

    findings: tuple[Finding, ...] = ()
    unscored: tuple[Unscored, ...] = ()

    partial: tuple[Unscored, ...] = ()
    """Files that were judged but for some places, and what was left out of each."""

    also_read: tuple[str, ...] = ()
    """Paths of other files that the findings depend on; also of those that were looked for and do not exist."""

    @classmethod
    def merged(cls, reports: Iterable["CheckReport"]) -> Self:
        """Merge and sort reports; of equal patterns at one line, the first finding stays."""
        findings: dict[tuple[str, int, str], Finding] = {}
        unscored: set[Unscored] = set()
        partial: set[Unscored] = set()
        also_read: set[str] = set()
        for report in reports:
            for finding in report.findings:
                findings.setdefault((finding.path, finding.line, finding.pattern), finding)
            unscored.update(report.unscored)
            partial.update(report.partial)
            also_read.update(report.also_read)
        return cls(
            findings=tuple(sorted(findings.values())),
            unscored=tuple(sorted(unscored)),
            partial=tuple(sorted(partial)),
            also_read=tuple(sorted(also_read)),
        )


class Checker(Protocol):
    """Looks for weaknesses in files."""

    name: str
    """Short, constant name; every finding carries it."""

    patterns: frozenset[str]
    """Ids of the patterns that it looks for."""

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Look for ``patterns`` (default: all of this checker's) in ``paths``.

        Raises:
            CheckerError: If the checker cannot run.
        """
        ...


@runtime_checkable
class FileChecker(Checker, Protocol):
    """A checker that judges one file at a time, from its content and the other files that its report names.

    Files can then be judged in parallel, and what was found can be kept until one of these files changes.
    """

    def check_content(self, path: Path, content: bytes, *, patterns: Collection[str]) -> CheckReport:
        """Look for ``patterns`` in a file whose content was read already.

        Args:
            path: The name in findings.
            content: The bytes of the file.
            patterns: Ids of this checker's patterns.
        """
        ...


@runtime_checkable
class KeepableChecker(Checker, Protocol):
    """A checker that gets many files in one call, but judges each of them from its content only."""

    def version(self) -> str:
        """Return what else its findings depend on, such as the version of an outside program."""
        ...

    def lasting(self, report: CheckReport) -> bool:
        """Tell whether another run would report the same; not so where time ran out."""
        ...
