"""Baselines: findings of an earlier report, so that only new ones count.

Findings of our SARIF reports are matched by path, pattern and the text of the line, at any line number. JSON reports
and SARIF reports of other tools hold no text of lines; their findings are matched by path, pattern and line number.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlparse

from cosec.checking.finding import Finding
from cosec.checking.sarif import FINGERPRINT, fingerprints
from cosec.errors import DataError

_Place = tuple[str, str, int]


class Baseline:
    """The findings of an earlier report; each of them matches at most one new finding.

    Args:
        path: A JSON or SARIF report of `cosec check`.

    Raises:
        DataError: If the report cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._texts, self._places = _read(path)

    def new(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return the findings that the report does not have; pass all findings of a file at once."""
        new = []
        for finding, text in zip(findings, fingerprints(findings), strict=True):
            place = (finding.path, finding.pattern, finding.line)
            # The digest covers path, pattern and text. The suffix numbers equal lines: an inserted one changes it.
            digest = text.split(":")[0]
            if self._texts[digest] > 0:
                self._texts[digest] -= 1
            elif self._places[place] > 0:
                self._places[place] -= 1
            else:
                new.append(finding)
        return tuple(new)


def _read(path: Path) -> tuple[Counter[str], Counter[_Place]]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        texts, places = Counter[str](), Counter[_Place]()
        for digest, place in _sarif(report) if "runs" in report else _json(report):
            if digest is not None:
                texts[digest] += 1
            else:
                places[place] += 1
    except OSError as error:
        raise DataError(f"Cannot read the baseline {str(path)!r}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise DataError(
            f"{str(path)!r} is no report of `cosec check`; write one with --format json or --format sarif."
        ) from None
    return texts, places


def _json(report: Mapping[str, Any]) -> Iterator[tuple[None, _Place]]:
    for finding in report["findings"]:
        yield None, (finding["path"], finding["rule"], int(finding["line"]))


def _sarif(report: Mapping[str, Any]) -> Iterator[tuple[str | None, _Place]]:
    for run in report["runs"]:
        for result in run["results"]:
            place = result["locations"][0]["physicalLocation"]
            path = os.fsdecode(unquote_to_bytes(urlparse(place["artifactLocation"]["uri"]).path))
            fingerprint = result.get("partialFingerprints", {}).get(FINGERPRINT)
            digest = fingerprint.split(":")[0] if fingerprint else None
            yield digest, (path, result["ruleId"], int(place["region"]["startLine"]))
