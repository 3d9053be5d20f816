"""The results of `cosec check` as lines and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from cosec.checking.finding import Finding
from cosec.checking.scanning import Scan, described


def finding_lines(findings: Iterable[Finding]) -> str:
    """Describe findings, a line each."""
    lines = (
        f"{one.path}:{one.line}: {one.severity}: {one.message} [{one.pattern}, {one.cwe}, {one.checker}]"
        for one in findings
    )
    return "".join(f"{printable(line)}\n" for line in lines)


def closing_lines(scanned: Scan) -> str:
    """Describe what follows the findings: files that were not judged, and counts."""
    report = scanned.report
    left = "".join(f"{printable(f'{one.path}: unscored: {one.reason}')}\n" for one in report.unscored)
    counts = [(scanned.files, "file"), (len(report.findings), "finding")]
    summary = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{left}{summary}, {len(report.unscored)} unscored\n"


def print_notes(scanned: Scan) -> None:
    """Print errors, and what was not looked at, to the standard error."""
    if scanned.other_languages and scanned.files:
        print(  # noqa: T201 - a message
            f"cosec: note: only Python and C are checked; not looked at: {described(scanned.other_languages)}",
            file=sys.stderr,
        )
    for error in scanned.errors:
        print(f"cosec: error: {printable(' '.join(error.split()))}", file=sys.stderr)  # noqa: T201 - a message


def as_json(scanned: Scan) -> dict[str, Any]:
    """Make the JSON report."""
    return {
        "files": scanned.files,
        "findings": [
            {
                "path": one.path,
                "rule": one.pattern,
                "cwe": one.cwe,
                "line": one.line,
                "severity": one.severity,
                "message": one.message,
            }
            for one in scanned.report.findings
        ],
        "unscored": [{"path": one.path, "reason": one.reason} for one in scanned.report.unscored],
        "other_languages": dict(scanned.other_languages),
        "errors": list(scanned.errors),
    }


def printable(text: str) -> str:
    """Escape line ends, control characters and undecodable bytes of file names, so that a result stays one line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
