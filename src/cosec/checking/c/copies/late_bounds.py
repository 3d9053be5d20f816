"""Conditions of C that look at an element of an array before they compare its index, or that cannot stop at its start.

In ``while (text[n - 1] == ' ' && n > 0)`` the last test reads the byte before the text. ``i >= 0`` stops nothing if
``i`` is unsigned, nor where the element at ``i - 1`` is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.checking.c.reading.expressions import conjuncts, depends, tested_first
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Report, Unit, bare, text, walk
from cosec.checking.c.reading.trees import COMPARISONS, LOOPS, MIRRORED, is_written, takes_address
from cosec.checking.c.reading.types import Types

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A comparison of a variable: ``name operator limit``."""

    name: str
    operator: str
    limit: Node
    pointer: bool

    def lowest(self, unit: Unit) -> int | None:
        """Return the smallest number that passes; None if this is no lower bound that is known.

        Of a pointer, how far it is from the one that it is compared with.
        """
        value = 0 if self.pointer else unit.constant(self.limit)
        if value is None or self.operator not in (">", ">=", "!="):
            return None
        if self.operator == "!=":
            return 1 if value == 0 else None
        return value + (self.operator == ">")


def look(unit: Unit, function: Node, sizes: SizesOf, types: Types, report: Report) -> None:
    """Look at the loops of a function."""
    for loop in walk(function):
        condition = loop.child_by_field_name("condition") if loop.type in LOOPS else None
        if condition is None:
            continue
        parts = list(conjuncts(bare(condition)))
        for place, part in enumerate(parts):
            for bound in _bounds(part, types):
                if not _compared_elsewhere(loop, part, bound.name):
                    _early(unit, sizes, types, loop, parts[:place], bound, report)
                    _endless(unit, types, loop, bound, report)


def _early(
    unit: Unit, sizes: SizesOf, types: Types, loop: Node, before: list[Node], bound: _Bound, report: Report
) -> None:
    """Report an element that the parts of a condition before a bound look at."""
    falls, rises = _moves(loop, bound.name)
    lowest = bound.lowest(unit)
    for node in (one for part in before for one in walk(part)):
        offset = _offset(unit, node, bound.name)
        if offset is None:
            continue
        if falls and not rises and lowest is not None and offset + lowest - 1 < 0:
            report(
                node, _READ, f"{text(node)} is read before {bound.name} is compared with its lower bound.", "warning"
            )
        elif rises and not falls and offset == 0 and bound.operator in ("<", "<=", "!="):
            array = node.child_by_field_name("argument")
            if bound.pointer != (text(array) == bound.name):
                continue
            known = sizes.items(array) if array is not None and text(array) not in sizes.promised else None
            kind, levels = types.declared.get(text(array), ("char", 0))
            fixed = known is not None and unit.constant(bound.limit, sizes.arrays) == known[0]
            if fixed or (known is None and kind != "char" and levels == 1 and types.is_local(text(array))):
                why = f"{text(node)} is read before {bound.name} is compared with its upper bound."
                report(node, _READ, why, "warning")


def _endless(unit: Unit, types: Types, loop: Node, bound: _Bound, report: Report) -> None:
    """Report the elements of a loop that ``name >= 0`` lets go below the start of an array."""
    falls, rises = _moves(loop, bound.name)
    if bound.lowest(unit) != 0 or not falls or rises:
        return
    kind = types.variable(bound.name)
    for node in walk(loop):
        offset = _offset(unit, node, bound.name)
        if offset is None or kind is None or takes_address(node) or _fell_before(loop, node, bound.name):
            continue
        if not kind.signed or offset == -1:
            why = "is always true" if not kind.signed else "lets it be 0"
            pattern = _WRITE if is_written(node) else _READ
            report(node, pattern, f"Nothing stops {bound.name} at the start: {bound.name} >= 0 {why}.", "warning")
            return


def _bounds(part: Node, types: Types) -> Iterator[_Bound]:
    """Iterate over what a part of a condition says of a variable by itself."""
    left, right = part.child_by_field_name("left"), part.child_by_field_name("right")
    operator = text(part.child_by_field_name("operator"))
    if left is None or right is None or operator not in COMPARISONS:
        return
    pointers = [types.declared.get(text(one), ("", 0))[1] == 1 for one in (left, right)]
    if left.type == "identifier" and (pointers[0] == pointers[1] or not pointers[0]):
        yield _Bound(text(left), operator, right, all(pointers))
    if right.type == "identifier" and (pointers[0] == pointers[1] or not pointers[1]):
        yield _Bound(text(right), MIRRORED[operator], left, all(pointers))


def _offset(unit: Unit, node: Node, name: str) -> int | None:
    """Return ``k`` for an element such as ``array[name + k]`` or ``name[k]``; None for other expressions."""
    argument = node.child_by_field_name("argument")
    if node.type == "pointer_expression" and argument is not None and node.children[0].type == "*":
        return 0 if text(argument) == name else _distance(unit, bare(argument), name)
    if node.type == "subscript_expression" and text(argument) == name:
        return unit.constant(node.child_by_field_name("index") or node)
    index = node.child_by_field_name("index") if node.type == "subscript_expression" else None
    if index is None:
        return None
    return 0 if text(bare(index)) == name else _distance(unit, bare(index), name)


def _distance(unit: Unit, node: Node, name: str) -> int | None:
    """Return ``k`` for ``name + k``; None for other expressions."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = text(node.child_by_field_name("operator"))
    if operator not in ("+", "-") or text(left) != name or right is None:
        return None
    step = unit.constant(right)
    return None if step is None else step if operator == "+" else -step


def _moves(loop: Node, name: str) -> tuple[bool, bool]:
    """Tell whether a loop makes a variable smaller, and whether it makes it larger or sets it."""
    falls = rises = False
    for node in walk(loop):
        if node.type == "update_expression" and text(node.child_by_field_name("argument")) == name:
            falls, rises = falls or "--" in text(node), rises or "++" in text(node)
        elif node.type == "assignment_expression" and text(node.child_by_field_name("left")) == name:
            initial = loop.child_by_field_name("initializer")
            if initial is not None and initial.start_byte <= node.start_byte < initial.end_byte:
                continue
            operator = text(node.child_by_field_name("operator"))
            falls, rises = falls or operator == "-=", rises or operator != "-="
    return falls, rises


def _fell_before(loop: Node, node: Node, name: str) -> bool:
    """Tell whether the body of a loop makes a variable smaller before an element in the body is used."""
    body = loop.child_by_field_name("body")
    if body is None or node.start_byte < body.start_byte:
        return False
    changes = (one for one in walk(body) if one.type in ("update_expression", "assignment_expression"))
    return any(
        name in (text(one.child_by_field_name("argument")), text(one.child_by_field_name("left")))
        for one in changes
        if one.start_byte < node.start_byte
    )


def _compared_elsewhere(loop: Node, part: Node, name: str) -> bool:
    """Tell whether another condition of a loop compares or tests a variable, other than by an element at it."""
    conditions = [one for node in walk(loop) if (one := node.child_by_field_name("condition")) is not None]
    conditions += tested_first(loop)

    def is_passed_over(node: Node) -> bool:
        return node == part or node.type in ("subscript_expression", "pointer_expression")

    def is_it(node: Node) -> bool:
        return node.type == "identifier" and text(node) == name

    return any(depends(one, is_it, but_for=is_passed_over) for one in conditions)
