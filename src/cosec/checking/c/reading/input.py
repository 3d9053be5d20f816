"""Functions of C that read bytes from outside into a buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Sizes, Unit

if TYPE_CHECKING:
    from tree_sitter import Node

READS = {"read": 1, "recv": 1, "recvfrom": 1, "fread": 0, "pread": 1}
"""Functions that read bytes from outside -> the place of the buffer."""


def byte_count(unit: Unit, name: str, given: list[Node], count: Node, sizes: Sizes) -> int | None:
    """Return how many bytes a call is told to read or write; ``count`` counts items of a given size for ``fread``.

    Returns:
        The number; None if it is no constant.
    """
    number = unit.constant(count, sizes)
    if name != "fread" or number is None:
        return number
    size = unit.constant(given[1], sizes)
    return None if size is None else number * size
