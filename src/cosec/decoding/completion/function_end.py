"""Where the function that a prompt left open ends, in a completion that may go on.

The end depends only on the lines (Python) or tokens (C) before it. So a completion that is stopped there while it grows
is the same as one that is cut there afterwards.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from typing import Literal

Language = Literal["py", "c"]
"""Python, or C and languages with its blocks, strings and comments."""

C_LITERALS = r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?"
"""Pattern of a comment, string or character of C, perhaps incomplete."""

_C_TOKEN = re.compile(rf"{C_LITERALS}|[^\s]", re.DOTALL)
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def function_end(prompt: str, completion: str, language: Language) -> int | None:
    """Number of characters of the completion up to the end of the function that is open at its start.

    Python: the start of the first line that is indented no further than the function's ``def``. C: after the brace that
    closes the outermost block; if the prompt leaves no block open, the first block after it counts.

    Args:
        prompt: The text that the completion continues.
        completion: The text, perhaps incomplete.
        language: Of both.

    Returns:
        The number, or None if no function is open, or it does not end.
    """
    if language == "py":
        return _python_function_end(prompt + completion, len(prompt))
    return _c_function_end(prompt + completion, len(prompt))


def c_tokens(text: str) -> Iterator[tuple[str, int]]:
    """Tokens of C with the offset at which each ends. A comment or literal is one token, other code one character."""
    for match in _C_TOKEN.finditer(text):
        yield match.group(), match.end()


def _c_function_end(text: str, start: int) -> int | None:
    depth, opened = 0, False
    for token, end in c_tokens(text):
        if token == "{":
            depth, opened = depth + 1, True
        elif token == "}":
            depth -= 1
            if depth <= 0 and end > start and opened:
                return end - start
    return None


def _python_function_end(text: str, start: int) -> int | None:
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    definitions: list[int] = []  # columns of the functions open at the current line
    beginning = True
    for token in _python_tokens(text):
        if token.type in _LAYOUT:
            beginning = beginning or token.type == tokenize.NEWLINE
            continue
        row, column = token.start
        if beginning:
            if offsets[row - 1] >= start and definitions and column <= definitions[0]:
                return offsets[row - 1] - start
            if offsets[row - 1] < start:
                definitions = [one for one in definitions if one < column]
        if token.string == "def" and offsets[row - 1] < start:
            definitions.append(indentation(lines[row - 1]))
        beginning = False
    return None


def _python_tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Tokens up to the first place that cannot be tokenized."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return


def indentation(line: str) -> int:
    """Number of blank characters at the start of a line."""
    return len(line) - len(line.lstrip())
