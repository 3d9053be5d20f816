"""Loops of C that write several elements in an iteration, and compare the index with the size of the array once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Report, Unit, bare, following, text, walk
from cosec.checking.c.reading.trees import LOOPS, is_written

if TYPE_CHECKING:
    from tree_sitter import Node

_OTHER_WAYS = LOOPS | {"switch_statement", "else_clause", "conditional_expression", "continue_statement"}
_OTHER_WAYS |= {"goto_statement", "break_statement", "return_statement"}
_WRITE = "c/out-of-bounds-write"


def look(unit: Unit, function: Node, sizes: SizesOf, report: Report) -> None:
    """Look at the loops of a function whose condition says that a place is less than the size of an array."""
    given = following(function)
    for loop in walk(function):
        condition, body = loop.child_by_field_name("condition"), loop.child_by_field_name("body")
        if loop.type not in ("while_statement", "for_statement") or condition is None or body is None:
            continue
        for bound in walk(condition):
            left, right = bound.child_by_field_name("left"), bound.child_by_field_name("right")
            if text(bound.child_by_field_name("operator")) != "<" or left is None or right is None:
                continue
            written = _written(body, text(left))
            first = written[0].child_by_field_name("argument") if written else None
            spare = _spare(unit, right, first, sizes, given) if first is not None else None
            some = [one for one in written if _is_chosen(one, body)]
            if spare is not None and 0 < len(some) < len(written) and len(written) >= 2 + spare:
                why = f"{text(left)} is compared with the size of {text(first)} once for {len(written)} elements."
                report(written[-1], _WRITE, why, "warning")


def _written(body: Node, counter: str) -> list[Node]:
    """Return what an iteration writes at ``array[counter++]``; nothing if anything else decides about the counter."""
    found = []
    for node in walk(body):
        if node.type in _OTHER_WAYS:
            return []
        condition = node.child_by_field_name("condition")
        if condition is not None and any(text(one) == counter for one in walk(condition)):
            return []
        if node.type == "assignment_expression" and text(node.child_by_field_name("left")) == counter:
            return []
        index = node.child_by_field_name("index") if node.type == "subscript_expression" else None
        if index is not None and text(bare(index)) == f"{counter}++" and is_written(node):
            found.append(node)
    updates = [one for one in walk(body) if one.type == "update_expression" and counter in text(one)]
    arrays = {text(one.child_by_field_name("argument")) for one in found}
    return found if len(updates) == len(found) and len(arrays) == 1 else []


def _spare(unit: Unit, limit: Node, array: Node, sizes: SizesOf, given: dict[str, str]) -> int | None:
    """Return how many elements an array has from a limit on; None if it is not known."""
    known = sizes.items(array) if text(array) not in sizes.promised else None
    value = unit.constant(limit, sizes.arrays)
    if known is not None:
        return known[0] - value if value is not None and value <= known[0] else None
    limit = bare(limit)
    left, right = limit.child_by_field_name("left"), limit.child_by_field_name("right")
    size, less = text(limit), 0
    if text(limit.child_by_field_name("operator")) == "-" and left is not None and right is not None:
        size, constant = text(left), unit.constant(right)
        if constant is None:
            return None
        less = constant
    return less if size and size == given.get(text(array)) else None


def _is_chosen(node: Node, body: Node) -> bool:
    """Tell whether a condition decides about a statement in the body of a loop."""
    at = node.parent
    while at is not None and at != body:
        if at.type == "if_statement":
            return True
        at = at.parent
    return False
