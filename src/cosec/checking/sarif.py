"""Reports in SARIF 2.1.0, as code hosts read them.

Each result has a fingerprint of its path, pattern and line text, which lines added above it do not change. Unscored
files and errors are notifications of the run.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cosec.checking.finding import Finding, Unscored
from cosec.checking.patterns import PATTERNS, Pattern
from cosec.version import __version__

FINGERPRINT = "cosecLine/v1"
"""Name of our fingerprint in ``partialFingerprints``."""

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_report(
    findings: Sequence[Finding], unscored: Sequence[Unscored] = (), errors: Sequence[str] = ()
) -> dict[str, Any]:
    """Make a SARIF log of one run.

    Args:
        findings: Their paths are relative to the working folder, or absolute.
        unscored: Files that could not be judged.
        errors: Checkers and files that failed; if there are any, the log says that the run was not successful.
    """
    ids = sorted({finding.pattern for finding in findings})
    places = {pattern: index for index, pattern in enumerate(ids)}
    notifications = [
        {"level": "warning", "message": {"text": f"Not judged: {one.reason}"}, "locations": [_location(one.path)]}
        for one in unscored
    ] + [{"level": "error", "message": {"text": error}} for error in errors]
    run = {
        "tool": {
            "driver": {
                "name": "cosec",
                "version": __version__,
                "rules": [_rule(PATTERNS[pattern]) for pattern in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not errors, "toolExecutionNotifications": notifications}],
        "results": [
            {
                "ruleId": finding.pattern,
                "ruleIndex": places[finding.pattern],
                "level": finding.severity,
                "message": {"text": finding.message},
                "locations": [_location(finding.path, finding.line)],
                "partialFingerprints": {FINGERPRINT: fingerprint},
                "properties": {"checker": finding.checker},
            }
            for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
        ],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """Return a fingerprint of each finding: path, pattern, text of the line, and a number for equal ones."""
    texts: dict[str, list[str]] = {}
    before: Counter[str] = Counter()
    made = []
    for finding in findings:
        lines = texts.setdefault(finding.path, _lines(finding.path))
        text = " ".join(lines[finding.line - 1].split()) if finding.line <= len(lines) else ""
        identity = "\0".join((finding.path, finding.pattern, text)).encode(errors="surrogateescape")
        digest = hashlib.sha256(identity).hexdigest()[:32]
        before[digest] += 1
        made.append(f"{digest}:{before[digest]}")
    return made


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []


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
