"""Where the fixed function differs from the vulnerable one, in characters.

A changed span is a half-open range of characters of the *fixed* function. An empty range marks a cut: the place where
a fix that only deletes removed something. This module does not know about tokens or models.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

ChangedSpan = tuple[int, int]
"""First character of a changed span, and the one after its last."""

_WORD = re.compile(r"\w+|[^\S\n]+|\n|[^\w\s]")


def changed_spans(before: str, after: str) -> tuple[ChangedSpan, ...]:
    """Find the spans of ``after`` that ``before`` does not have.

    Lines are compared first and words inside the lines that differ, which keeps long functions fast and the spans
    readable.

    Args:
        before: The vulnerable function.
        after: The fixed function.

    Returns:
        The added spans in order, merged where they touch. If nothing was added, the cuts (empty spans). If both
        functions are equal, an empty tuple.
    """
    spans: list[ChangedSpan] = []
    _compare(before.splitlines(keepends=True), after.splitlines(keepends=True), 0, spans, refine=True)
    added = [span for span in spans if span[0] < span[1]]
    return _merged(added or spans)


def cuts_of_deletions(before: str, after: str, deleted: Sequence[ChangedSpan]) -> tuple[ChangedSpan, ...]:
    """Turn the deleted spans of ``before`` into cuts in ``after``.

    Args:
        before: The vulnerable function.
        after: The fixed function.
        deleted: The half-open spans of ``before`` that the fix removed.

    Returns:
        One empty span per deletion, or nothing when removing the spans from ``before`` does not give ``after``.
    """
    kept: list[str] = []
    cuts: list[ChangedSpan] = []
    read = written = 0
    for start, end in sorted(deleted):
        kept.append(before[read:start])
        written += len(kept[-1])
        read = max(read, end)
        cuts.append((written, written))
    kept.append(before[read:])
    return _merged(cuts) if "".join(kept) == after else ()


def _compare(
    before: Sequence[str], after: Sequence[str], offset: int, spans: list[ChangedSpan], *, refine: bool
) -> None:
    """Append the spans of ``after``, which begins at ``offset``; with ``refine``, look inside replaced lines."""
    starts = [offset]
    for piece in after:
        starts.append(starts[-1] + len(piece))
    for tag, before_from, before_to, after_from, after_to in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            continue
        if tag == "replace" and refine:
            old, new = "".join(before[before_from:before_to]), "".join(after[after_from:after_to])
            _compare(_WORD.findall(old), _WORD.findall(new), starts[after_from], spans, refine=False)
        else:
            spans.append((starts[after_from], starts[after_to]))


def _merged(spans: Iterable[ChangedSpan]) -> tuple[ChangedSpan, ...]:
    """Join the spans that overlap or touch."""
    joined: list[ChangedSpan] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
