"""Indices into C memory whose size is a variable: does the highest one lie within what was allocated?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.checking.c.copies.lengths import Length, Lengths
from cosec.checking.c.reading.expressions import depends
from cosec.checking.c.reading.syntax import (
    Report,
    Sizes,
    arguments,
    bare,
    called,
    declarations,
    literal,
    parameters,
    size_of_type,
    text,
    walk,
)
from cosec.checking.c.reading.trees import COMPARISONS, is_written, takes_address
from cosec.checking.c.reading.types import integer

if TYPE_CHECKING:
    from tree_sitter import Node

_ALLOCATORS = {"malloc": 0, "alloca": 0, "xmalloc": 0, "g_malloc": 0, "calloc": 0}
_LENGTH_NAME = re.compile(r"(^|_)(n|len|length|size|count|num|sz)$", re.I)
_BOUNDARY_NAME = re.compile(r"(ptr|off|offset|start|begin|index|idx|prefix|sum|bound|edge)s?$", re.I)
_FIXED_WIDTH = re.compile(r"%0?(\d)(?:hh)?[xX]")
_STEPS = ("{0}++", "++{0}", "{0} += 1")
_JUMPS = frozenset({"break_statement", "return_statement", "goto_statement"})


@dataclass(frozen=True, slots=True)
class _Block:
    """Memory that a variable points to."""

    room: Length
    step: int
    """How much of ``room`` one element takes: its bytes, or 1 where ``room`` counts elements."""

    def is_full(self, count: Length) -> bool:
        """Tell whether so many elements fill it."""
        return count.times(self.step) == self.room


def look(function: Node, lengths: Lengths, arrays: Sizes, report: Report) -> None:
    """Look at every index of a function into memory whose size is a sum with variables or with ``strlen``.

    Also at every text that is printed at an index into such memory, or into one of the ``arrays``.
    """
    blocks = dict(_blocks(function, lengths))
    known = {name: _Block(Length(items), size) for name, (items, size) in arrays.items() if size == 1} | blocks
    for node in walk(function):
        if called(node) == "sprintf":
            _printed(node, lengths, known, report)
    blocks = dict(_given(function, lengths)) | blocks
    for node in walk(function) if blocks else ():
        array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
        block = blocks.get(text(array)) if node.type == "subscript_expression" else None
        if block is None or index is None or takes_address(node):
            continue
        place = _highest(index, node, lengths, block)
        if place is None or not place.texts.keys() <= block.room.texts.keys():
            continue
        if (place + Length(1)).times(block.step).exceeds(block.room):
            pattern = "c/out-of-bounds-write" if is_written(node) else "c/out-of-bounds-read"
            report(node, pattern, f"The index {text(index)} reaches past the end of {text(array)}.")


def _blocks(function: Node, lengths: Lengths) -> Iterator[tuple[str, _Block]]:
    sizes = {
        name: size_of_type(kind)
        for kind, name, declarator, _ in declarations(function)
        if text(declarator).count("*") + text(declarator).count("[") == 1
    }
    for name, room in lengths.room.items():
        if (size := sizes.get(name)) is not None:
            yield name, _Block(room, size)
    for name, value in lengths.values.items():
        call = bare(value)
        given = arguments(call)
        if called(call) not in _ALLOCATORS or not given or name in lengths.room:
            continue
        items = _items(given, lengths)
        if items is not None and items.texts:
            yield name, _Block(items, 1)


def _given(function: Node, lengths: Lengths) -> Iterator[tuple[str, _Block]]:
    """Iterate over the arrays that a function is given with their length.

    Texts are left out, which have one more letter, and arrays that are used at a multiple of the length.
    """
    given = parameters(function)
    counts = [one for one in given if _LENGTH_NAME.search(one.name) and integer(one.kind) is not None]
    pointers = [one for one in given if text(one.declarator).count("*") + text(one.declarator).count("[]") == 1]
    for array in pointers if len(counts) == 1 else ():
        block = _Block(Length(0, Counter({counts[0].name: 1})), 1)
        if array.kind == "char" or _BOUNDARY_NAME.search(array.name) or _is_appended(function, array.name):
            continue
        if not any(_is_larger(one, array.name, lengths, block) for one in walk(function)):
            yield array.name, block


def _is_larger(node: Node, array: str, lengths: Lengths, block: _Block) -> bool:
    """Tell whether an array is used at a place that a length of this kind cannot reach."""
    index = node.child_by_field_name("index")
    if index is None or text(node.child_by_field_name("argument")) != array:
        return False
    place = _highest(index, node, lengths, block)
    return place is not None and bool(place.texts - block.room.texts)


def _is_appended(function: Node, array: str) -> bool:
    """Tell whether the elements behind the current one are only written, as those of running totals are."""
    uses = [one for one in walk(function) if text(one.child_by_field_name("argument")) == array]
    ahead = [one for one in uses if "+" in text(one.child_by_field_name("index"))]
    return all(is_written(one) for one in ahead)


def _printed(call: Node, lengths: Lengths, blocks: dict[str, _Block], report: Report) -> None:
    """Look at ``sprintf(text + 2 * i, "%02x", ...)`` in a loop: the last turn writes the end of the text too."""
    given = arguments(call)
    form = literal(given[1]) if len(given) > 1 else None
    found = _FIXED_WIDTH.fullmatch(form) if form is not None else None
    target = bare(given[0]) if given else call
    element = bare(target.child_by_field_name("argument") or target)
    if target.type == "pointer_expression" and element.type == "subscript_expression":
        buffer, place = element.child_by_field_name("argument"), element.child_by_field_name("index")
    else:
        buffer, place = target.child_by_field_name("left"), target.child_by_field_name("right")
    block = blocks.get(text(buffer))
    if found is None or block is None or place is None or block.step != 1:
        return
    start = _last_place(place, call, lengths)
    if start is not None and (start + Length(int(found[1]) + 1)).exceeds(block.room):
        report(
            call, "c/out-of-bounds-write", f"The last text ends past {text(buffer)}; count its terminating NUL byte."
        )


def _last_place(node: Node, at: Node, lengths: Lengths) -> Length | None:
    """Return the highest value of a counter, or of a multiple of one."""
    node = bare(node)
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if node.type == "identifier":
        return _bound(text(node), at, lengths)
    if left is None or right is None or text(node.child_by_field_name("operator")) != "*":
        return None
    sides = [(lengths.number(one), _last_place(other, at, lengths)) for one, other in ((left, right), (right, left))]
    return next((last.times(factor.constant) for factor, last in sides if factor and last and not factor.texts), None)


def _items(given: list[Node], lengths: Lengths) -> Length | None:
    """Return how many elements ``count * sizeof(element)``, or a pair of them, has room for; None if unknown."""
    factors = [one for argument in given for one in _factors(argument)]
    counts = [one for one in factors if one.type != "sizeof_expression"]
    if len(counts) != 1 or len(factors) != 2:
        return None
    return lengths.number(counts[0])


def _factors(node: Node) -> Iterator[Node]:
    node = bare(node)
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if text(node.child_by_field_name("operator")) == "*" and left is not None and right is not None:
        yield from _factors(left)
        yield from _factors(right)
    else:
        yield node


def _highest(index: Node, at: Node, lengths: Lengths, block: _Block) -> Length | None:
    """Return the highest value of an index, where loops count up to a bound; None if it is unknown."""
    index = bare(index)
    if index.type == "identifier" and (bound := _bound(text(index), at, lengths)) is not None:
        return bound
    left, right = index.child_by_field_name("left"), index.child_by_field_name("right")
    if index.type != "binary_expression" or left is None or right is None:
        return lengths.number(index)
    one, other = _highest(left, at, lengths, block), _highest(right, at, lengths, block)
    operator = text(index.child_by_field_name("operator"))
    if one is None or other is None:
        return None
    if operator == "*":
        # The second row of a table that has room for one.
        rows = ((left, other), (right, one))
        return next((row for count, row in rows if block.is_full(row) and _bound(text(bare(count)), at, lengths)), None)
    if operator == "+":
        return one + other
    return lengths.number(index)


def _bound(name: str, at: Node, lengths: Lengths) -> Length | None:
    """Return the last value of the counter of a ``for`` loop around a place."""
    inner, loop = at, at.parent
    while loop is not None and loop.type != "function_definition":
        condition = loop.child_by_field_name("condition") if loop.type == "for_statement" else None
        if condition is not None and loop.child_by_field_name("body") == inner and _counts(loop, name, at):
            right = condition.child_by_field_name("right")
            last = lengths.number(right) if right is not None else None
            past = text(condition.child_by_field_name("operator")) == "<="
            return last + Length(0 if past else -1) if last is not None else None
        inner, loop = loop, loop.parent
    return None


def _counts(loop: Node, name: str, at: Node) -> bool:
    """Tell whether a loop counts ``name`` up by one to the bound in its condition, and nothing ends it before."""
    condition, body = loop.child_by_field_name("condition"), loop.child_by_field_name("body")
    if condition is None or body is None or text(condition.child_by_field_name("left")) != name:
        return False
    if text(condition.child_by_field_name("operator")) not in ("<", "<="):
        return False
    if text(loop.child_by_field_name("update")) not in [step.format(name) for step in _STEPS]:
        return False
    return not any(_interferes(one, name, at) for one in walk(body))


def _interferes(node: Node, name: str, at: Node) -> bool:
    """Tell whether a part of a loop may end it, change its counter, or compare it to choose what runs."""
    if node.type in _JUMPS:
        return not _found_neighbours(node, at)
    if node.type == "assignment_expression":
        return text(node.child_by_field_name("left")) == name
    if node.type == "update_expression":
        return text(node.child_by_field_name("argument")) == name
    chosen = node.parent
    if chosen is not None and chosen.type == "conditional_expression" and not _contains(chosen, at):
        return False
    compares = text(node.child_by_field_name("operator")) in COMPARISONS
    sides = (node.child_by_field_name(side) for side in ("left", "right"))
    return compares and any(_mentions(one, name) for one in sides if one is not None)


def _found_neighbours(jump: Node, at: Node) -> bool:
    """Tell whether a jump leaves a loop because two elements of an array, one of them at ``at``, compare so."""
    choice = jump.parent
    while choice is not None and choice.type in ("compound_statement", "else_clause"):
        choice = choice.parent
    condition = choice.child_by_field_name("condition") if choice is not None else None
    if choice is None or choice.type != "if_statement" or condition is None or not _contains(condition, at):
        return False
    compared = at.parent
    sides = [compared.child_by_field_name(side) for side in ("left", "right")] if compared is not None else []
    arrays = {text(one.child_by_field_name("argument")) for one in sides if one is not None}
    return len(sides) == 2 and arrays == {text(at.child_by_field_name("argument"))}


def _mentions(node: Node, name: str) -> bool:
    """Tell whether an expression depends on a variable other than by an element of an array."""
    return depends(node, lambda one: text(one) == name, but_for=lambda one: one.type == "subscript_expression")


def _contains(node: Node, inner: Node) -> bool:
    return node.start_byte <= inner.start_byte and inner.end_byte <= node.end_byte
