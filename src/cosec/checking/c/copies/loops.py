"""Loops of C that walk through a buffer without looking at its start or its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.expressions import depends
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Report,
    Unit,
    called,
    declarations,
    following,
    is_static,
    parameters,
    text,
    walk,
)
from cosec.checking.c.reading.trees import LOOPS, is_written, loops_around

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"
_ROOM = re.compile(r"(^n|size|sz|cap|capacity|max|room|len|length)$", re.I)
_MEASURES = re.compile(r"\b(sizeof|strn?len)\b")


def look(unit: Unit, function: Node, sizes: SizesOf, report: Report) -> None:
    """Look at every loop of a function, and at every element that is written at a rising index."""
    for node in walk(function):
        if node.type in ("while_statement", "for_statement"):
            _backwards(function, node, report)
        elif node.type == "assignment_expression":
            _ends_late(unit, function, node, sizes, report)
        elif node.type == "subscript_expression" and is_written(node):
            _grows(unit, function, node, sizes, report)


def _grows(unit: Unit, function: Node, node: Node, sizes: SizesOf, report: Report) -> None:
    """Report ``array[n++] = ...`` where no condition bounds how often it happens."""
    array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
    if array is None or index is None:
        return
    counter = _raised(index, function)
    known = sizes.items(array)
    if known is None or counter is None:
        return
    kept = counter.type == "field_expression" or all(text(counter) != name for name in _own_names(function))
    loops = list(loops_around(node))
    if counter == index and not kept and (not loops or _looks_into(loops[0], text(array))):
        return
    if not kept and (not loops or any(is_counted(loop) for loop in loops)):
        return
    repeated = (
        [one for one in loops[-1].children if one != loops[-1].child_by_field_name("initializer")] if loops else []
    )
    if not kept and any(_is_set(one, text(counter)) for part in repeated for one in walk(part)):
        return
    name = text(counter.child_by_field_name("field") or counter)
    if kept and any(_wraps(unit, one, name) for one in walk(unit.root)):
        return
    others = [] if kept else [one for one in walk(function) if one.type in LOOPS and one not in loops]
    conditions = (
        one
        for one in _conditions(unit.root if kept else function)
        if one.parent not in others and (kept or one.start_byte < loops[-1].end_byte)
    )
    texts = frozenset() if kept else _given_texts(function, sizes)
    if not any(_bounds(one, name, texts) for one in conditions if not _counts_up_to(one, name, function)):
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


def _looks_into(loop: Node, array: str) -> bool:
    """Tell whether a loop ends by an element of an array, as a search in a table does, or by bits of a number."""
    condition = loop.child_by_field_name("condition")
    return condition is None or any(text(one) == array or one.type == "&" for one in walk(condition))


def is_counted(loop: Node) -> bool:
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


def _bounds(condition: Node, counter: str, texts: frozenset[str]) -> bool:
    """Tell whether a condition compares a counter, other than by a letter of ``texts`` there, or measures something."""

    def is_letter(node: Node) -> bool:
        return node.type == "subscript_expression" and text(node.child_by_field_name("argument")) in texts

    measures = bool(_MEASURES.search(text(condition)))
    return measures or depends(condition, lambda one: text(one) == counter, but_for=is_letter)


def _given_texts(function: Node, sizes: SizesOf) -> frozenset[str]:
    """Return the texts of any length that a function is given; a ``static`` one may rely on its callers."""
    given = [] if is_static(function) else parameters(function)
    return frozenset(
        one.name
        for one in given
        if one.kind == "char" and text(one.declarator).count("*") == 1 and one.name not in sizes.promised
    )


def _counts_up_to(condition: Node, counter: str, function: Node) -> bool:
    """Tell whether a condition compares the index of another loop with a counter, as a search in an array does."""
    compared = condition.named_children[0] if condition.type == "parenthesized_expression" else condition
    left, right = compared.child_by_field_name("left"), compared.child_by_field_name("right")
    if left is None or right is None or left.type != "identifier" or text(right) != counter:
        return False
    loops = (one for one in walk(function) if one.type == "for_statement")
    counted = (
        one.child_by_field_name("condition") for one in loops if text(left) in text(one.child_by_field_name("update"))
    )
    return any(text(one) == f"{text(left)} < {counter}" for one in counted)


def _ends_late(unit: Unit, function: Node, node: Node, sizes: SizesOf, report: Report) -> None:
    """Report ``buffer[n] = 0`` right behind a loop that ends at the latest when ``n`` is the size of the buffer."""
    left = node.child_by_field_name("left")
    buffer, index = (left.child_by_field_name(name) if left is not None else None for name in ("argument", "index"))
    value, statement = node.child_by_field_name("right"), node.parent
    if buffer is None or index is None or value is None or unit.constant(value) != 0 or statement is None:
        return
    loop = statement.prev_named_sibling
    condition = loop.child_by_field_name("condition") if loop is not None and loop.type in LOOPS else None
    if loop is None or condition is None or _raised(index, loop) is None:
        return
    if _reaches(unit, condition, index, buffer, function, sizes) and not any(
        one.type in ("break_statement", "return_statement") and _mentions(one, index) for one in walk(loop)
    ):
        report(node, _WRITE, f"{text(index)} may equal the size of {text(buffer)} here.", "warning")


def _reaches(unit: Unit, condition: Node, index: Node, buffer: Node, function: Node, sizes: SizesOf) -> bool:
    """Tell whether the only bound of an index in a condition is that it is less than the size of a buffer."""
    given = following(function)
    bounds = [one for one in walk(condition) if text(one.child_by_field_name("left")) == text(index)]
    if len(bounds) != 1 or text(bounds[0].child_by_field_name("operator")) not in ("<", "!="):
        return False
    right = bounds[0].child_by_field_name("right")
    known = sizes.items(buffer) if text(buffer) not in sizes.promised else None
    if right is None:
        return False
    if known is not None:
        return unit.constant(right, sizes.arrays) == known[0]
    size = given.get(text(buffer), "")
    return text(right) == size and bool(_ROOM.search(size)) and not _changes(function, size)


def _mentions(node: Node, index: Node) -> bool:
    """Tell whether the condition around a jump compares an index."""
    at: Node | None = node
    while at is not None and at.type not in LOOPS:
        condition = at.child_by_field_name("condition")
        if condition is not None and any(text(one) == text(index) for one in walk(condition)):
            return True
        at = at.parent
    return False


def _changes(function: Node, name: str) -> bool:
    return any(_is_set(one, name) for one in walk(function))


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
