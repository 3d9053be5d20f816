"""Reports in SARIF 2.1.0, as code hosts read them.

Each result has a fingerprint of its path, pattern and line text, which lines added above it do not change. Unscored
files and errors are notifications of the run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cosec.checking.finding import Finding, Unscored
from cosec.checking.patterns import PATTERNS, Pattern
from cosec.scanning.adoption.fingerprints import fingerprints
from cosec.scanning.suppression import Suppressed
from cosec.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_report(
    findings: Sequence[Finding],
    unscored: Sequence[Unscored] = (),
    errors: Sequence[str] = (),
    *,
    suppressed: Sequence[Suppressed] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Make a SARIF log of one run.

    Args:
        findings: Their paths are relative to the working folder, or absolute.
        unscored: Files that could not be judged.
        errors: Checkers and files that failed; if there are any, the log says that the run was not successful.
        suppressed: Findings that comments accept. They are results too, marked as suppressed in the source.
        notes: What else there is to say, a sentence each.
    """
    everything = [*findings, *(one.finding for one in suppressed)]
    ids = sorted({finding.pattern for finding in everything})
    # All results of a run have the property, or none (SARIF 2.1.0).
    accepted: list[dict[str, Any]] = [{"suppressions": []} if suppressed else {}] * len(findings)
    accepted += ({"suppressions": [_suppression(one)]} for one in suppressed)
    prints = fingerprints(everything)
    run = {
        "tool": {
            "driver": {
                "name": "cosec",
                "version": __version__,
                "rules": [_rule(PATTERNS[pattern]) for pattern in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not errors,
                "toolExecutionNotifications": _notifications(unscored, errors, notes),
            }
        ],
        "results": [
            {
                "ruleId": finding.pattern,
                "ruleIndex": ids.index(finding.pattern),
                "level": finding.severity,
                "message": {"text": finding.message},
                "locations": [_location(finding.path, finding.line)],
                "partialFingerprints": fingerprint,
                "properties": {"checker": finding.checker},
                **acceptance,
            }
            for finding, fingerprint, acceptance in zip(everything, prints, accepted, strict=True)
        ],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _notifications(unscored: Sequence[Unscored], errors: Sequence[str], notes: Sequence[str]) -> list[dict[str, Any]]:
    return [
        *(
            {"level": "warning", "message": {"text": f"Not judged: {one.reason}"}, "locations": [_location(one.path)]}
            for one in unscored
        ),
        *({"level": "error", "message": {"text": error}} for error in errors),
        *({"level": "note", "message": {"text": note}} for note in notes),
    ]


def _suppression(one: Suppressed) -> dict[str, str]:
    return {"kind": "inSource", **({"justification": one.reason} if one.reason else {})}


def _rule(pattern: Pattern) -> Mapping[str, Any]:
    number = pattern.cwe.removeprefix("CWE-")
    return {
        "id": pattern.id,
        "name": "".join(word.capitalize() for word in pattern.id.replace("/", "-").split("-")),
        "shortDescription": {"text": pattern.title},
        "fullDescription": {"text": f"{pattern.title} ({pattern.cwe})."},
        "helpUri": f"https://cwe.mitre.org/data/definitions/{int(number)}.html",
        "defaultConfiguration": {"level": pattern.severity},
        "properties": {
            "security-severity": f"{pattern.security_severity:.1f}",
            "tags": ["security", f"external/cwe/cwe-{number}"],
        },
    }


def _location(path: str, line: int | None = None) -> dict[str, Any]:
    uri = Path(path).as_uri() if Path(path).is_absolute() else quote(os.fsencode(path))
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if line is not None:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}
