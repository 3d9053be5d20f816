"""Functions of a C file that copy a text without a bound, as ``strcpy`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.copies.rooms import measured_texts
from cosec.checking.c.reading.syntax import Unit, arguments, bare, called, declarations, parameters, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def copying_functions(unit: Unit) -> dict[str, tuple[int, int]]:
    """Return the local functions that copy a text into a buffer, both given, without a look at its length.

    Returns:
        Name -> the places of the buffer and of the text.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, function in unit.functions.items():
        names = [one.name for one in parameters(function)]
        measured = measured_texts(unit, function, {})
        values = {made: value for _, made, _, value in declarations(function) if value is not None}
        for call in (one for one in walk(function) if one.type == "call_expression"):
            given = arguments(call)
            if len(given) < 2 or not _copies_all(called(call), given, values):
                continue
            places = [names.index(key) if (key := text(bare(one))) in names else -1 for one in given[:2]]
            if min(places) >= 0 and names[places[1]] not in measured and names[places[0]] not in measured:
                found[name] = places[0], places[1]
    return found


def _copies_all(name: str, given: list[Node], values: dict[str, Node]) -> bool:
    """Tell whether a call copies a whole text: ``memcpy(target, source, strlen(source))`` does, as ``strcpy`` does."""
    if name in ("strcpy", "strcat", "stpcpy"):
        return True
    if name not in ("memcpy", "memmove") or len(given) != 3:
        return False
    count = values.get(text(bare(given[2])), given[2])
    measured = [arguments(one) for one in walk(count) if called(one) == "strlen"]
    return any(text(one[0]) == text(bare(given[1])) for one in measured if one)
