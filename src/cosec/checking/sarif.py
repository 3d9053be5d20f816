"""Reports in SARIF 2.1.0, as code hosts read them.

Each result carries a fingerprint of its path, rule and line text, so that it is recognised after lines were added
above it. Files that nobody could judge are notifications of the run, and so are errors.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cosec import __version__
from cosec.checking.finding import Finding, Unscored
from cosec.checking.rules import RULES, Rule

FINGERPRINT = "cosecLine/v1"
"""Name of our fingerprint in ``partialFingerprints``."""

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_report(
    findings: Sequence[Finding], unscored: Sequence[Unscored] = (), errors: Sequence[str] = ()
) -> dict[str, Any]:
    """Make a SARIF log of one run.

    Args:
        findings: Their paths are relative to the working folder, or absolute.
        unscored: Files that could not be judged.
        errors: What kept the run from being whole; the log then says that it was not successful.
    """
    ids = sorted({finding.rule for finding in findings})
    places = {rule: index for index, rule in enumerate(ids)}
    notifications = [
        {"level": "warning", "message": {"text": f"Not judged: {one.reason}"}, "locations": [_location(one.path)]}
        for one in unscored
    ] + [{"level": "error", "message": {"text": error}} for error in errors]
    run = {
        "tool": {
            "driver": {
                "name": "cosec",
                "version": __version__,
                "rules": [_rule(RULES[rule]) for rule in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not errors, "toolExecutionNotifications": notifications}],
        "results": [
            {
                "ruleId": finding.rule,
                "ruleIndex": places[finding.rule],
                "level": finding.severity,
                "message": {"text": finding.message},
                "locations": [_location(finding.path, finding.line)],
                "partialFingerprints": {FINGERPRINT: fingerprint},
                "properties": {"checker": finding.checker},
            }
            for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """A fingerprint of each finding: path, rule, text of the line, and how many of these came before it."""
    texts: dict[str, list[str]] = {}
    before: Counter[str] = Counter()
    made = []
    for finding in findings:
        lines = texts.setdefault(finding.path, _lines(finding.path))
        text = " ".join(lines[finding.line - 1].split()) if finding.line <= len(lines) else ""
        digest = hashlib.sha256("\0".join((finding.path, finding.rule, text)).encode()).hexdigest()[:32]
        before[digest] += 1
        made.append(f"{digest}:{before[digest]}")
    return made


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []


def _rule(rule: Rule) -> Mapping[str, Any]:
    number = rule.cwe.removeprefix("CWE-")
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.replace("/", "-").split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title} ({rule.cwe})."},
        "helpUri": f"https://cwe.mitre.org/data/definitions/{int(number)}.html",
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "security-severity": f"{rule.security_severity:.1f}",
            "tags": ["security", f"external/cwe/cwe-{number}"],
        },
    }


def _location(path: str, line: int | None = None) -> dict[str, Any]:
    uri = Path(path).as_uri() if Path(path).is_absolute() else quote(path)
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if line is not None:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}
