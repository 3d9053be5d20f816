"""Changes of containers; the places of a list's items stay known as long as no branch may have moved them."""

from __future__ import annotations

from collections.abc import Sequence

from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Value, join_all
from cosec.checking.python.engine.library import attributes


def ordered(held: Held, depth: int) -> bool:
    """Tell whether the places of all items of a list are known, and stay so after a change at this depth."""
    return held.kind == "list" and held.element is None and depth <= held.depth


def set_items(held: Held, items: Sequence[Value]) -> None:
    """Make ``items`` the items of a list whose places are known."""
    held.fields = {(place,): each for place, each in enumerate(items)}


def remove_at(held: Held, place: object, depth: int) -> Value:
    """Remove the item at ``place`` of a list, and return it."""
    items = held.items()
    if ordered(held, depth) and isinstance(place, int) and -len(items) <= place < len(items):
        found = items.pop(place)
        set_items(held, items)
        return found
    if place != -1:
        held.forget_places()
    return join_all(items)


def extend(held: Held, value: Value, depth: int) -> None:
    """Add the items of ``value`` to a container: ``extend``, ``update`` and ``+=``."""
    mappings = value.held("dict") if held.kind == "dict" else []
    for mapping in mappings:
        for key, item in mapping.fields.items():
            held.store(key, item, depth)
        if mapping.element is not None:
            held.add(mapping.element)
    if mappings:
        return
    known = [each for one in value.held("list", "tuple") if one.element is None for each in one.items()]
    if known and ordered(held, depth) and len(value.holds) == 1:
        for each in known:
            held.fields[(len(held.fields),)] = each
    elif (element := attributes.element_of(value)) != UNKNOWN:
        held.add(element)
