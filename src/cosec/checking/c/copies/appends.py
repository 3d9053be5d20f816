"""Calls of C that append a part of a text, ``strncat``: is the bound that of the room that is left?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.copies.given_sizes import names_room
from cosec.checking.c.copies.lengths import assigned_once, never_set
from cosec.checking.c.copies.rooms import Room
from cosec.checking.c.reading.syntax import Report, arguments, bare, called, following, literal, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITE = "c/out-of-bounds-write"
_WRITES_TEXT = frozenset({"strcpy", "strcat", "strncpy", "strncat", "sprintf", "snprintf"})


def look(room: Room, function: Node, call: Node, given: list[Node], report: Report) -> None:
    """Look at a ``strncat``, whose bound is that of the appended text and not that of the buffer."""
    target = text(bare(given[0]))
    capacity, number = room.capacity(given[0]), room.unit.constant(given[2], room.sizes)
    longest = room.longest(given[1])
    terms = list(_terms(given[2], assigned_once(function)))
    measured = [text(arguments(one)[0]) for _, one in terms if called(one) == "strlen" and arguments(one)]
    if longest is None and text(bare(given[1])) in measured and len(terms) == 1:
        if capacity is not None and not any(room.was_measured(one, call) for one in given[:2]):
            why = f"{text(given[1])} may be longer than {target} has room for."
            report(call, _WRITE, why, room.level(given[1]))
    elif longest is None and _is_all_that_is_left(room, function, target, capacity, terms):
        if not room.was_measured(given[1], call):
            report(call, _WRITE, f"No byte is left for the NUL behind {target}; append one letter less.")
    elif capacity is not None and number is not None and not (longest is not None and longest < number):
        if number >= capacity or (number == capacity - 1 and _is_filled(function, call, target)):
            report(call, _WRITE, f"{number} bytes may be appended to what {target} holds, and it has {capacity}.")
    elif (
        (capacity is None and longest is None)
        and _is_whole_size(room, function, call, target, terms)
        and not any(room.was_measured(one, call) for one in given[:2])
    ):
        report(call, _WRITE, f"{text(given[2])} bytes may be appended to what {target} holds, which is its size.")


def _is_filled(function: Node, call: Node, target: str) -> bool:
    """Tell whether a text is written to a buffer before a call."""
    before = [one for one in walk(function) if one.start_byte < call.start_byte]
    written = [
        one
        for one in before
        if called(one) in _WRITES_TEXT
        and _first(one) == target
        and literal(arguments(one)[-1]) != ""
        and _block(one).end_byte >= call.end_byte
    ]
    emptied = {f"{target}[0]", f"*{target}"}
    clears = (
        one.start_byte
        for one in before
        if text(one.child_by_field_name("left")) in emptied or (called(one) == "memset" and _first(one) == target)
    )
    return bool(written) and max(one.start_byte for one in written) > max(clears, default=0)


def _first(call: Node) -> str:
    """Return the first argument of a call; empty if it has none."""
    return next((text(bare(one)) for one in arguments(call)), "")


def _block(node: Node) -> Node:
    """Return the innermost block around a node."""
    while node.parent is not None and node.type != "compound_statement":
        node = node.parent
    return node


def _is_whole_size(room: Room, function: Node, call: Node, target: str, terms: list[tuple[int, Node]]) -> bool:
    """Tell whether a bound is the size that a buffer is given with, or one less although the buffer holds a text."""
    known, rest = _split(room, terms)
    size = following(function).get(target, "")
    if not names_room(size) or size not in never_set(function):
        return False
    if [(sign, text(one)) for sign, one in rest] != [(1, size)]:
        return False
    return known == 0 or (known == -1 and _is_filled(function, call, target))


def _is_all_that_is_left(
    room: Room, function: Node, target: str, capacity: int | None, terms: list[tuple[int, Node]]
) -> bool:
    """Tell whether a sum is the size of a buffer without the length of the text in it: one more than there is room."""
    known, rest = _split(room, terms)
    lengths = [one for sign, one in rest if sign < 0 and called(one) == "strlen" and arguments(one)]
    if len(lengths) != 1 or text(bare(arguments(lengths[0])[0])) != target:
        return False
    sizes = [one for sign, one in rest if sign > 0]
    if capacity is not None:
        return len(rest) == 1 and known >= capacity
    size = following(function).get(target, "")
    is_size = len(rest) == 2 and len(sizes) == 1 and text(sizes[0]) == size
    return is_size and known >= 0 and size in never_set(function)


def _split(room: Room, terms: list[tuple[int, Node]]) -> tuple[int, list[tuple[int, Node]]]:
    """Return the sum of the terms that are constant, and the others."""
    constants = [(sign, room.unit.constant(one, room.sizes)) for sign, one in terms]
    known = sum(sign * value for sign, value in constants if value is not None)
    return known, [term for term, (_, value) in zip(terms, constants, strict=True) if value is None]


def _terms(node: Node, values: dict[str, Node], sign: int = 1) -> Iterator[tuple[int, Node]]:
    """Iterate over the terms of a sum with their signs; variables that are set once stand for their value."""
    node = bare(node)
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = text(node.child_by_field_name("operator"))
    if node.type == "binary_expression" and operator in ("+", "-") and left is not None and right is not None:
        yield from _terms(left, values, sign)
        yield from _terms(right, values, -sign if operator == "-" else sign)
    elif node.type == "identifier" and text(node) in values:
        yield from _terms(values[text(node)], {}, sign)
    else:
        yield sign, node
