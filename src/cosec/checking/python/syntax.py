"""Python source: its text from a file's bytes, and its syntax tree."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import warnings

from cosec.extras import how_to_install


class NotPythonError(Exception):
    """The text is not Python that can be read here; the message continues "the file …"."""


def decoded(data: bytes) -> str:
    """Return the text of a source file, in the encoding that its byte order mark or coding comment names.

    Raises:
        NotPythonError: If the encoding is unknown, or the file is not in it.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise NotPythonError(f"cannot be read: {error}") from error


def parse(text: str) -> ast.Module | None:
    """Return the syntax tree in the running Python's grammar, or None where there is none."""
    try:
        return _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parse_any_version(text: str) -> ast.Module:
    """Return the syntax tree; newer syntax than the running Python's is read by tree-sitter.

    Raises:
        NotPythonError: If it is not valid Python 3.
        RecursionError: If it is nested too deeply.
    """
    try:
        return _parsed(text)
    except SyntaxError as error:
        return _newer(text, error)
    except ValueError as error:
        raise NotPythonError(f"is not valid Python: {error}") from error


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(text)


def _newer(text: str, error: SyntaxError) -> ast.Module:
    from cosec.checking.python import newer_syntax

    reason = f"is not valid Python: {error.msg} (line {error.lineno})"
    try:
        tree = newer_syntax.tree_of(text)
    except ImportError as missing:
        version = ".".join(map(str, sys.version_info[:2]))
        raise NotPythonError(
            f"{reason}; syntax newer than Python {version} needs tree-sitter: {how_to_install('evaluation')}"
        ) from missing
    if newer_syntax.is_python_2(tree):
        raise NotPythonError("is Python 2; only Python 3 is judged") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return newer_syntax.parse(tree)
    except (SyntaxError, ValueError) as again:
        raise NotPythonError(reason) from again
