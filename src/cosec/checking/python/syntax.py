"""Parse Python source without warnings or exceptions."""

from __future__ import annotations

import ast
import warnings


def parse(text: str) -> ast.Module | None:
    """Return the syntax tree, or None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
