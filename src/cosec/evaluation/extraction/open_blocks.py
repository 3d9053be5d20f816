"""The blocks of Python that are open at the end of a text, as its indentation tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cosec.decoding.completion.function_end import indentation


def enclosing(lines: Sequence[str], skipped: tuple[str, ...] = ("#",)) -> Iterator[tuple[int, int]]:
    """The lines around the end of a text, from the inside out: each is indented less than all that follow it.

    Args:
        lines: The lines of the text.
        skipped: How lines begin that do not count, besides blank ones.

    Yields:
        The row of such a line, and the column where it begins.
    """
    column = 1 << 30
    for row in range(len(lines) - 1, -1, -1):
        own = indentation(lines[row])
        if lines[row].strip() and own < column and not lines[row].lstrip().startswith(skipped):
            column = own
            yield row, own


def with_tries_closed(text: str) -> str:
    """The text with an empty ``finally`` for each open ``try``; as it is if there is none."""
    lines = text.rstrip().splitlines()
    opened = [lines[row][:column] for row, column in enclosing(lines) if lines[row].lstrip().startswith("try:")]
    closing = "".join(f"{indent}finally:\n{indent}    pass\n" for indent in opened)
    return f"{text.rstrip()}\n{closing}" if closing else text
