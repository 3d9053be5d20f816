"""Loops of C that walk through a buffer without looking at its start or its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Report, Unit, called, declarations, parameters, text, walk
from cosec.checking.c.reading.trees import is_written

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"
_LOOPS = frozenset({"while_statement", "for_statement", "do_statement"})
_MEASURES = re.compile(r"\b(sizeof|strn?len)\b")


def look(unit: Unit, function: Node, sizes: SizesOf, report: Report) -> None:
    """Look at every loop of a function, and at every element that is written at a rising index."""
    for node in walk(function):
        if node.type in ("while_statement", "for_statement"):
            _backwards(function, node, report)
        elif node.type == "subscript_expression" and is_written(node):
            _grows(unit, function, node, sizes, report)


def _grows(unit: Unit, function: Node, node: Node, sizes: SizesOf, report: Report) -> None:
    """Report ``array[n++] = ...`` where no condition bounds how often it happens."""
    array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
    if array is None or index is None:
        return
    counter = _raised(index, function)
    known = sizes.items(array) if text(array) not in sizes.promised else None
    if known is None or counter is None:
        return
    kept = counter.type == "field_expression" or all(text(counter) != name for name in _own_names(function))
    if counter == index and not kept:
        return
    loops = list(_loops_around(node))
    if not kept and (not loops or any(_is_counted(loop) for loop in loops)):
        return
    if not kept and any(_is_set(one, text(counter)) for one in walk(loops[-1])):
        return
    name = text(counter.child_by_field_name("field") or counter)
    if kept and any(_wraps(unit, one, name) for one in walk(unit.root)):
        return
    others = [] if kept else [one for one in walk(function) if one.type in _LOOPS and one not in loops]
    conditions = (one for one in _conditions(unit.root if kept else function) if one.parent not in others)
    if not any(_bounds(one, name) for one in conditions):
        why = f"Nothing compares {text(counter)} with the {known[0]} elements of {text(array)}."
        report(node, _WRITE, why, "warning")


def _raised(index: Node, function: Node) -> Node | None:
    """Return the counter of ``n++``, or of ``n`` where the function counts it up; None for other indices."""
    if index.type == "update_expression":
        return index.child_by_field_name("argument") if "++" in text(index) else None
    rises = (one for one in walk(function) if one.type == "update_expression" and "++" in text(one))
    return index if any(text(one.child_by_field_name("argument")) == text(index) for one in rises) else None


def _own_names(function: Node) -> Iterator[str]:
    yield from (one.name for one in parameters(function))
    yield from (name for _, name, _, _ in declarations(function))


def _loops_around(node: Node) -> Iterator[Node]:
    at = node.parent
    while at is not None:
        if at.type in _LOOPS:
            yield at
        at = at.parent


def _is_counted(loop: Node) -> bool:
    """Tell whether a loop ends by a count, or when a number has no digits left."""
    condition = loop.child_by_field_name("condition")
    if condition is None:
        return False
    if any(text(one.child_by_field_name("operator")) in ("<", "<=", ">", ">=") for one in walk(condition)):
        return True
    names = {text(one) for one in walk(condition) if one.type == "identifier"}
    return any(_takes_away(one) in names for one in walk(loop))


def _is_set(node: Node, name: str) -> bool:
    """Tell whether a statement sets a counter to another value, or makes it smaller."""
    sets = node.type == "assignment_expression" and text(node.child_by_field_name("left")) == name
    return sets or _takes_away(node) == name


def _wraps(unit: Unit, node: Node, name: str) -> bool:
    """Tell whether a statement computes a counter anew, such as ``n %= 8``."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if node.type != "assignment_expression" or left is None or right is None:
        return False
    if text(left.child_by_field_name("field") or left) != name:
        return False
    return text(node.child_by_field_name("operator")) != "=" or unit.constant(right) is None


def _takes_away(node: Node) -> str:
    """Return the variable that a statement makes smaller; empty for anything else."""
    if node.type == "assignment_expression" and text(node.child_by_field_name("operator")) in ("/=", ">>=", "-="):
        return text(node.child_by_field_name("left"))
    falls = node.type == "update_expression" and "--" in text(node)
    return text(node.child_by_field_name("argument")) if falls else ""


def _conditions(scope: Node) -> Iterator[Node]:
    for one in walk(scope):
        condition = one.child_by_field_name("condition")
        if condition is not None:
            yield condition
        elif "assert" in called(one).lower():
            yield one


def _bounds(condition: Node, counter: str) -> bool:
    """Tell whether a condition compares a counter, or the length of a text or a buffer."""
    return bool(_MEASURES.search(text(condition))) or any(text(one) == counter for one in walk(condition))


def _backwards(function: Node, loop: Node, report: Report) -> None:
    """Report a loop that counts an index down without stopping at the start of the buffer.

    If the function then writes at the index, the write is reported too.
    """
    condition = loop.child_by_field_name("condition")
    if condition is None:
        return
    falling = {
        text(node.child_by_field_name("argument"))
        for node in walk(loop)
        if node.type == "update_expression" and "--" in text(node)
    }
    looked_at = [node for node in walk(condition) if node.type in ("subscript_expression", "pointer_expression")]
    for name in falling:
        inside = [node for node in looked_at if any(text(one) == name for one in walk(node))]
        conditions = [one for node in walk(loop) if (one := node.child_by_field_name("condition")) is not None]
        guarded = any(
            text(one) == name and not any(node.start_byte <= one.start_byte < node.end_byte for node in looked_at)
            for each in conditions
            for one in walk(each)
        )
        if inside and not guarded:
            report(inside[0], _READ, f"Nothing stops {name} at the start of what it walks down.", "warning")
            for written in _writes_at(function, text(inside[0].child_by_field_name("argument")), name):
                if written.start_byte > loop.start_byte:
                    report(written, _WRITE, f"Nothing stopped {name} at the start of what it walked down.", "warning")


def _writes_at(function: Node, array: str, name: str) -> Iterator[Node]:
    """Return assignments to elements of ``array`` whose index contains ``name``."""
    for node in walk(function):
        left = node.child_by_field_name("left") if node.type == "assignment_expression" else None
        index = left.child_by_field_name("index") if left is not None else None
        if left is None or index is None or text(left.child_by_field_name("argument")) != array:
            continue
        if any(text(one) == name for one in walk(index)):
            yield left
