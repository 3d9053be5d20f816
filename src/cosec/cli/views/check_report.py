"""The results of `cosec check` as lines, JSON and SARIF."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from cosec.checking.finding import Finding
from cosec.scanning import Scan, described
from cosec.scanning.adoption.acceptance import Accepted
from cosec.scanning.sarif import sarif_report


def finding_lines(findings: Iterable[Finding]) -> str:
    """Describe findings, a line each."""
    lines = (
        f"{one.path}:{one.line}: {one.severity}: {one.message} [{one.pattern}, {one.cwe}, {one.checker}]"
        for one in findings
    )
    return "".join(f"{printable(line)}\n" for line in lines)


def closing_lines(scanned: Scan, accepted: Accepted) -> str:
    """Describe what follows the findings: files that were not judged, and counts."""
    report = scanned.report
    left = "".join(f"{printable(f'{one.path}: unscored: {one.reason}')}\n" for one in report.unscored)
    left += "".join(f"{printable(f'{one.path}: judged in part: {one.reason}')}\n" for one in report.partial)
    counts = [(scanned.files, "file"), (len(report.findings), "finding")]
    summary = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    summary.append(f"{len(report.unscored)} unscored")
    others = [(len(accepted.suppressed), "suppressed"), (len(accepted.known), "known")]
    summary += [f"{count} {word}" for count, word in others if count]
    return f"{left}{', '.join(summary)}\n"


def print_notes(scanned: Scan, accepted: Accepted) -> None:
    """Print errors, what was not looked at, and what accepts no finding, to the standard error."""
    if scanned.other_languages and scanned.files:
        print(  # noqa: T201 - a message
            f"cosec: note: only Python and C are checked; not looked at: {described(scanned.other_languages)}",
            file=sys.stderr,
        )
    for note in accepted.notes():
        print(f"cosec: note: {printable(note)}", file=sys.stderr)  # noqa: T201 - a message
    for error in scanned.errors:
        print(f"cosec: error: {printable(' '.join(error.split()))}", file=sys.stderr)  # noqa: T201 - a message


def as_json(scanned: Scan, accepted: Accepted) -> dict[str, Any]:
    """Make the JSON report."""
    return {
        "files": scanned.files,
        "findings": [_record(one) for one in scanned.report.findings],
        "suppressed": [
            {**_record(one.finding), "comment_line": one.line, "reason": one.reason} for one in accepted.suppressed
        ],
        "known": len(accepted.known),
        "unscored": [{"path": one.path, "reason": one.reason} for one in scanned.report.unscored],
        "judged_in_part": [{"path": one.path, "reason": one.reason} for one in scanned.report.partial],
        "other_languages": dict(scanned.other_languages),
        "errors": list(scanned.errors),
        "notes": list(accepted.notes()),
    }


def as_sarif(scanned: Scan, accepted: Accepted) -> str:
    """Make the SARIF report as text."""
    report = sarif_report(
        scanned.report.findings,
        scanned.report.unscored,
        scanned.errors,
        suppressed=accepted.suppressed,
        notes=(*accepted.notes(), *(f"{one.path}: judged in part: {one.reason}" for one in scanned.report.partial)),
    )
    return json.dumps(report, indent=2) + "\n"


def _record(one: Finding) -> dict[str, Any]:
    return {
        "path": one.path,
        "rule": one.pattern,
        "cwe": one.cwe,
        "line": one.line,
        "severity": one.severity,
        "message": one.message,
    }


def printable(text: str) -> str:
    """Escape line ends, control characters and undecodable bytes of file names, so that a result stays one line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
