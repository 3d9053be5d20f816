"""Fingerprints of findings: path, pattern and text of the line, so that they survive lines added elsewhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.checking.finding import Finding

LINE_FINGERPRINT = "cosecLine/v1"
"""Name in SARIF's ``partialFingerprints`` of the fingerprint of a line, with a number for equal ones."""

CONTEXT_FINGERPRINT = "cosecContext/v1"
"""Name in SARIF's ``partialFingerprints`` of the fingerprint of a line and its neighbours."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a finding is recognised by."""

    text: str
    """Of path, pattern and text of the line."""

    context: str
    """The same with the nearest lines before and after that are not blank."""


class LineTexts:
    """The lines of the files that findings are in; each file is read once."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def fingerprint(self, finding: Finding, path: str | None = None) -> Fingerprint:
        """Return what the finding is recognised by.

        Args:
            finding: Its file is read at ``finding.path``.
            path: Takes the place of the finding's path in the fingerprint, as the same file may have several names.
        """
        lines = self._lines(finding.path)
        index = finding.line - 1
        text = lines[index] if index < len(lines) else ""
        before = next((one for one in reversed(lines[:index]) if one), "")
        after = next((one for one in lines[index + 1 :] if one), "")
        what = (finding.path if path is None else path, finding.pattern)
        return Fingerprint(_digest(*what, text), _digest(*what, before, text, after))

    def _lines(self, path: str) -> list[str]:
        if path not in self._files:
            try:
                text = Path(path).read_text(encoding="utf-8", errors="replace")
            except OSError:
                text = ""
            self._files[path] = [" ".join(line.split()) for line in text.split("\n")]
        return self._files[path]


def fingerprints(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return the ``partialFingerprints`` of each finding in a SARIF report."""
    texts, before = LineTexts(), Counter[str]()
    made = []
    for finding in findings:
        prints = texts.fingerprint(finding)
        before[prints.text] += 1
        made.append({LINE_FINGERPRINT: f"{prints.text}:{before[prints.text]}", CONTEXT_FINGERPRINT: prints.context})
    return made


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]
