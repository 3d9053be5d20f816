"""Buffers that a C function is given with their size: does it look at the size before it reads or writes?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Parameter, Report, Unit, bare, is_static, parameters, text, walk
from cosec.checking.c.reading.trees import COMPARISONS, is_written
from cosec.checking.c.reading.types import integer

if TYPE_CHECKING:
    from tree_sitter import Node

_CAPACITY_NAME = re.compile(r"(^|_)(max|cap|capacity|limit|room)$", re.I)
_ROOM_NAME = re.compile(r"(^|_)(size|sz|max|cap|capacity|limit|room)$", re.I)
_SIZE_NAME = re.compile(r"(^|_)(n|len|length|size|count|num|sz|nbytes)$", re.I)


def look(unit: Unit, function: Node, report: Report) -> None:
    """Look at each pair of a buffer and its size; ``static`` functions may rely on their callers."""
    body = function.child_by_field_name("body")
    given = parameters(function)
    if body is None or is_static(function):
        return
    for buffer, size in pairwise(given):
        if not is_pair(buffer, size):
            continue
        used = uses(unit, body, size)
        if "other" in used:
            continue
        only_growing = _pointer_levels(buffer) == 2 or not _SIZE_NAME.search(size.name)
        for node in walk(body):
            if only_growing and (text(node.child_by_field_name("index")).count("++") == 0 or not is_written(node)):
                continue
            if _is_open(unit, node, buffer, function, checked=bool(used)):
                pattern = "c/out-of-bounds-write" if is_written(node) else "c/out-of-bounds-read"
                report(node, pattern, f"{text(node)} is used although nothing compares it with {size.name}.", "warning")
                break


def is_pair(buffer: Parameter, size: Parameter) -> bool:
    """Tell whether two parameters are a buffer and its size."""
    named = _SIZE_NAME.search(size.name) or (_CAPACITY_NAME.search(size.name) and integer(size.kind))
    return _pointer_levels(buffer) in (1, 2) and bool(named) and size.declarator.type == "identifier"


def names_room(name: str) -> bool:
    """Tell whether a size is named after the room in a buffer, and not after the length of what is in it."""
    return _ROOM_NAME.search(name) is not None


def _pointer_levels(parameter: Parameter) -> int:
    return text(parameter.declarator).count("*") + text(parameter.declarator).count("[]")


def uses(unit: Unit, body: Node, size: Parameter) -> set[str]:
    """Return how a function uses a size: compared with a ``constant``, in an ``other`` way."""
    return {use for node in walk(body) if text(node) == size.name and (use := _use(unit, node))}


def _use(unit: Unit, node: Node) -> str:
    """Return how a size is used: compared with a ``constant``, in an ``other`` way; empty for a cast to void."""
    if node.type != "identifier" or node.parent is None:
        return ""
    parent = node.parent
    if parent.type == "cast_expression" and text(parent.child_by_field_name("type")) == "void":
        return ""
    sides: Iterator[Node | None] = (parent.child_by_field_name(side) for side in ("left", "right"))
    others = [side for side in sides if side is not None and side != node]
    compares = text(parent.child_by_field_name("operator")) in COMPARISONS
    return "constant" if compares and all(unit.constant(one) is not None for one in others) else "other"


def _is_open(unit: Unit, node: Node, buffer: Parameter, function: Node, *, checked: bool) -> bool:
    """Tell whether an element of a buffer is used at a place that the function did not compare with anything."""
    array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
    if node.type != "subscript_expression" or index is None or text(array) != buffer.name:
        return False
    place = unit.constant(index)
    if index.type == "update_expression":
        return not checked and (is_written(node) or buffer.kind != "char") and "++" in text(index)
    if place is not None:
        return place > 0 and not checked  # a buffer is seldom empty
    given = parameters(function)
    numbers = {one.name for one in given if one.declarator.type == "identifier" and integer(one.kind) is not None}
    name = text(bare(index))
    return name in numbers and not any(_decides_on(one, name) for one in walk(function))


def _decides_on(node: Node, name: str) -> bool:
    """Tell whether a condition mentions a variable, or a statement changes it."""
    condition = node.child_by_field_name("condition")
    if condition is not None:
        return any(text(one) == name for one in walk(condition))
    if node.type in ("assignment_expression", "update_expression"):
        return text(node.child_by_field_name("left") or node.child_by_field_name("argument")) == name
    return node.type == "call_expression" and "assert" in text(node.child_by_field_name("function")).lower()
