"""Read and parse Python source."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings


def decoded(content: bytes) -> str:
    """Return the text of a Python file, whose encoding is UTF-8 unless its first lines declare another one.

    Raises:
        SyntaxError: If the declared encoding is unknown.
        LookupError: If it is no encoding of text.
        UnicodeError: If the content is not in that encoding.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def parse(text: str) -> ast.Module | None:
    """Return the syntax tree, or None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
