"""Apply the suppression comments of a file to its findings, and name the comments that have no effect."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cosec.checking.finding import Finding
from cosec.checking.patterns import PATTERNS, Language
from cosec.scanning.suppression.directives import Directive, directives_of
from cosec.scanning.suppression.layout import Layout, layout_of

_MENTIONED = re.compile(rb"nosec|cosec:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Suppressed:
    """A finding that a comment in the source accepts."""

    finding: Finding

    line: int
    """Line of the comment, 1-based."""

    reason: str
    """Why, in the author's words; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unused:
    """A suppression comment that has no effect."""

    path: str

    line: int
    """1-based."""

    message: str
    """One sentence without its full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """The findings of one file or of several, sorted by what the comments say."""

    findings: tuple[Finding, ...] = ()
    """Those that no comment accepts."""

    suppressed: tuple[Suppressed, ...] = ()

    unused: tuple[Unused, ...] = ()


def suppress(
    path: str, data: bytes, language: Language, findings: Sequence[Finding], looked_for: Collection[str]
) -> Suppression:
    """Sort the findings of one file by what its comments say.

    A comment covers the findings of the statement that it stands in, or of the statement below if it stands alone.

    Args:
        path: Of the file, as findings name it.
        data: The file.
        language: Of the file.
        findings: All of this file.
        looked_for: Ids of the patterns that the file was judged by; empty if it is unscored. A comment is reported as
            unused only if everything that it covers was looked for.
    """
    if _MENTIONED.search(data) is None:
        return Suppression(findings=tuple(findings))
    layout = layout_of(data, language)
    directives = [one for comment in layout.comments for one in directives_of(comment)]
    kept, suppressed, used = [], [], set()
    for finding in findings:
        covering = _covering(finding, layout, directives)
        if covering:
            first = directives[covering[0][0]]
            suppressed.append(Suppressed(finding=finding, line=first.line, reason=first.reason))
            used.update(covering)
        else:
            kept.append(finding)
    unused = _unused(path, language, directives, used, looked_for)
    return Suppression(findings=tuple(kept), suppressed=tuple(suppressed), unused=tuple(unused))


_Use = tuple[int, str | None]
"""Index of a directive, and the name in it that covers a finding; None if it covers all."""


def _covering(finding: Finding, layout: Layout, directives: Sequence[Directive]) -> list[_Use]:
    if not directives:
        return []
    lines = layout.around(finding.line)
    covering: list[_Use] = []
    for index, one in enumerate(directives):
        if one.line not in lines:
            continue
        if one.names is None:
            covering.append((index, None))
        else:
            covering += ((index, name) for name in one.names if one.covers(name, finding.pattern))
    return covering


def _unused(
    path: str,
    language: Language,
    directives: Sequence[Directive],
    used: Collection[_Use],
    looked_for: Collection[str],
) -> Iterator[Unused]:
    patterns = {pattern.id for pattern in PATTERNS.values() if pattern.language == language}
    for index, one in enumerate(directives):
        if one.problem is not None:
            yield Unused(path=path, line=one.line, message=one.problem)
        elif one.expected and one.names is None:
            if (index, None) not in used and patterns <= set(looked_for):
                yield Unused(path=path, line=one.line, message="this suppression matches no finding; remove it")
        elif one.expected:
            for name in one.names or ():
                covered = {pattern for pattern in patterns if one.covers(name, pattern)}
                if (index, name) not in used and covered <= set(looked_for) and looked_for:
                    message = f"the suppression of {name} matches no finding; remove it"
                    yield Unused(path=path, line=one.line, message=message)
