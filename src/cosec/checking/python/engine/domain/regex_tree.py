"""Syntax trees of regular expressions, from the standard library's own parser.

Python has no public parser of its regular expressions. Only this module uses the private one, which `re` itself uses.
"""

from __future__ import annotations

from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as _private_parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["codes", "parse"]


def parse(pattern: str, flags: int = 0) -> Any:
    """Parse ``pattern`` into a sequence of (opcode, argument) pairs; the opcodes are attributes of ``codes``.

    Raises:
        re.error: If it is not a valid regular expression.
        OverflowError: If a repetition count is too large.
    """
    return _private_parser.parse(pattern, flags)
