"""Where the comments and the statements of a source file are, by tokens, so that text in strings is never a comment.

A statement is a logical line of Python: a simple statement, or the header of a compound one. In C it is the text
between two of ``;``, ``{`` and ``}``, or a preprocessor line with its continuations.
"""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cosec.checking.patterns import Language

_TRIVIA = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)

_C_TOKEN = re.compile(
    r"""
    (?P<splice>\\[ \t]*\r?\n)
    | (?P<newline>\n)
    | (?P<comment>//(?:\\\r?\n|[^\n])*|/\*.*?(?:\*/|\Z))
    | (?P<text>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)
    | (?P<hash>\#)
    | (?P<boundary>[;{}])
    | (?P<code>[^\s;{}"'#/\\]+|[/\\])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Comment:
    """One line of a comment."""

    line: int
    """1-based."""

    text: str
    """Without the comment's markers at its ends."""

    alone: bool
    """Whether the line holds no code."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The comments and statements of a file."""

    comments: tuple[Comment, ...]
    """In the order of their lines."""

    statements: tuple[tuple[int, int], ...]
    """First and last line of each statement, 1-based, in the order of the source. Several may share a line."""

    def around(self, line: int) -> frozenset[int]:
        """Lines whose comments belong to the statement at ``line``.

        They are all lines of the statement, and the lines directly above it that hold comments only.
        """
        spans = [span for span in self.statements if span[0] <= line <= span[1]] or [(line, line)]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        alone = {comment.line for comment in self.comments if comment.alone}
        while first - 1 in alone:
            first -= 1
        return frozenset(range(first, last + 1))


def layout_of(data: bytes, language: Language) -> Layout:
    """Find the comments and statements of a source file.

    Args:
        data: The file. A coding cookie and a byte order mark are read.
        language: Of the file.

    Returns:
        What could be read: a file that cannot be tokenized to its end has the comments up to there.
    """
    return _python_layout(data) if language == "py" else _c_layout(data.decode("utf-8-sig", errors="replace"))


def _python_layout(data: bytes) -> Layout:
    comments: list[tuple[int, str]] = []
    statements: list[tuple[int, int]] = []
    code: set[int] = set()
    start: int | None = None
    for token in _tokens(data):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string.removeprefix("#")))
        elif token.type == tokenize.NEWLINE and start is not None:
            statements.append((start, token.start[0]))
            start = None
        elif token.type not in _TRIVIA:
            code.update((token.start[0], token.end[0]))
            start = token.start[0] if start is None else start
    return _layout(comments, statements, code)


def _tokens(data: bytes) -> Iterator[tokenize.TokenInfo]:
    # The parser ends lines at lone carriage returns too, and tokenize does not.
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        yield from tokenize.tokenize(io.BytesIO(lines).readline)
    except (tokenize.TokenError, SyntaxError, UnicodeError, LookupError):
        return


def _c_layout(text: str) -> Layout:
    ends = [match.start() for match in re.finditer("\n", text)]
    comments: list[tuple[int, str]] = []
    statements: list[tuple[int, int]] = []
    code: set[int] = set()
    start: int | None = None
    in_directive, fresh = False, True
    for match in _C_TOKEN.finditer(text):
        kind, line = match.lastgroup, bisect_right(ends, match.start() - 1) + 1
        if kind == "comment":
            comments += _lines_of(match.group(), line)
            continue
        if kind == "splice":
            continue
        if kind == "newline":
            if in_directive and start is not None:
                statements.append((start, line))
                start, in_directive = None, False
            fresh = True
            continue
        if kind == "hash" and fresh:
            if start is not None:
                statements.append((start, line - 1))
            start, in_directive = line, True
        start, fresh = line if start is None else start, False
        code.add(line)
        if kind == "boundary" and not in_directive:
            statements.append((start, line))
            start = None
    if start is not None:
        statements.append((start, len(ends) + 1))
    return _layout(comments, statements, code)


def _lines_of(comment: str, first: int) -> Iterator[tuple[int, str]]:
    inner = comment.removeprefix("//").removeprefix("/*").removesuffix("*/")
    for line, text in enumerate(inner.split("\n"), start=first):
        yield line, text.strip().lstrip("*!/<").strip()


def _layout(comments: Iterable[tuple[int, str]], statements: Iterable[tuple[int, int]], code: set[int]) -> Layout:
    return Layout(
        comments=tuple(Comment(line, text, line not in code) for line, text in comments),
        statements=tuple(statements),
    )
