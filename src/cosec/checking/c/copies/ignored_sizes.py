"""Buffers that a C function is given with their size or their end, and walks through without a look at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from cosec.checking.c.copies.given_sizes import is_pair, uses
from cosec.checking.c.copies.loops import is_counted
from cosec.checking.c.reading.expressions import depends
from cosec.checking.c.reading.syntax import (
    Parameter,
    Report,
    Unit,
    arguments,
    bare,
    called,
    is_static,
    literal,
    parameters,
    text,
    walk,
)
from cosec.checking.c.reading.trees import COMPARISONS, is_written, loops_around

if TYPE_CHECKING:
    from tree_sitter import Node

_END_NAME = re.compile(r"(^|_)(end|limit|stop)$", re.I)
_WRITES_TEXT = frozenset({"strcpy", "strcat", "stpcpy", "sprintf", "vsprintf"})
_READS_BYTES = {"memcmp": (0, 1), "memcpy": (1,), "memmove": (1,)}
_ORDERS = frozenset({"<", "<=", ">", ">="})
_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"


def look(unit: Unit, function: Node, report: Report) -> None:
    """Look at each buffer with a limit that nothing mentions, or that is compared with constants only.

    Calls in ``static`` functions may rely on their callers.
    """
    body = function.child_by_field_name("body")
    for buffer, limit in pairwise(parameters(function)) if body is not None else ():
        if body is None or not (is_pair(buffer, limit) or _is_end(buffer, limit)):
            continue
        used = uses(unit, body, limit)
        if "other" in used:
            continue
        pair = _Pair(unit, body, buffer, limit, ignored=not used)
        found = next(pair.walked(), None) or (None if is_static(function) else next(pair.passed(), None))
        if found is not None:
            node, pattern = found
            report(node, pattern, f"{buffer.name} is used although nothing compares it with {limit.name}.", "warning")


def _is_end(buffer: Parameter, limit: Parameter) -> bool:
    pointers = all(text(one.declarator).count("*") == 1 for one in (buffer, limit))
    return pointers and buffer.kind == limit.kind and bool(_END_NAME.search(limit.name))


class _Pair:
    """A buffer and its limit in one function."""

    def __init__(self, unit: Unit, body: Node, buffer: Parameter, limit: Parameter, *, ignored: bool) -> None:
        self._unit, self._body, self._buffer, self._limit, self._ignored = unit, body, buffer, limit, ignored

    def walked(self) -> Iterator[tuple[Node, str]]:
        """Iterate over the elements that a loop uses at a place which nothing compares with a bound."""
        ended = self._buffer.kind == "char" and any(map(self._tests_end, walk(self._body)))
        for node in walk(self._body):
            names = self._place(node)
            loop = next(loops_around(node), None)
            if not names or loop is None:
                continue
            written = is_written(node)
            if not (written or (self._ignored and not ended)) or any(map(is_counted, loops_around(node))):
                continue
            if any(self._bounds(one, names) for one in walk(self._body)):
                continue
            if any(_moves(one, names) for one in walk(loop)):
                yield node, _WRITE if written else _READ

    def passed(self) -> Iterator[tuple[Node, str]]:
        """Iterate over the calls that use the buffer without a look at its limit."""
        for call in walk(self._body):
            name, given = called(call), arguments(call)
            first = text(bare(given[0])) if given else ""
            if self._ignored and name in _WRITES_TEXT and len(given) > 1 and first == self._buffer.name:
                form = literal(given[1])
                if form is None or ("printf" in name and "%s" in form):
                    yield call, _WRITE
            elif self._ignored and name == "memmove" and len(given) == 3 and self._is_within(given[1]):
                if first.startswith(f"{text(bare(given[1]))} + ") and self._unit.constant(given[2]) is None:
                    yield call, _WRITE  # the text grows
            elif name in _READS_BYTES and len(given) == 3 and self._is_too_large(given[2]):
                read = {text(bare(given[place])) for place in _READS_BYTES[name]}
                yield from [(call, _READ)] if self._buffer.name in read else []

    def _is_within(self, node: Node) -> bool:
        return any(text(one) == self._buffer.name for one in walk(node))

    def _is_too_large(self, count: Node) -> bool:
        """Tell whether a count may be more than the limit, whatever constants that is compared with."""
        number = self._unit.constant(count)
        if number is None and count.type == "sizeof_expression":
            number = 2  # a struct is larger than a byte
        if number is None:
            return self._ignored
        return not self._ignored and all(number > constant + 1 for constant in self._constants())

    def _constants(self) -> Iterator[int]:
        """Iterate over the constants that the limit is compared with."""
        for node in walk(self._body):
            sides = [node.child_by_field_name(name) for name in ("left", "right")]
            if any(text(one) == self._limit.name for one in sides):
                values = [self._unit.constant(one) for one in sides if one is not None]
                yield from (value for value in values if value is not None)

    def _place(self, node: Node) -> frozenset[str]:
        """Return the variables that say where in the buffer an element is; none for other nodes."""
        array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
        name = self._buffer.name
        if node.type == "subscript_expression" and text(array) == name and index is not None:
            named = frozenset(text(one) for one in walk(index) if one.type == "identifier")
            return named if self._unit.constant(index) is None else frozenset({name})
        read = node.type == "pointer_expression" and node.children[0].type == "*"
        return frozenset({name}) if read and text(array) in (name, f"{name}++", f"++{name}") else frozenset()

    def _tests_end(self, node: Node) -> bool:
        """Tell whether a condition may end the walk at the end of a text."""
        condition = node.child_by_field_name("condition")
        parts = list(walk(condition)) if condition is not None else []
        parts += [node] if node.type in ("case_statement", "call_expression") else []
        for one in parts:
            if one.type == "case_statement" and self._unit.constant(one.child_by_field_name("value") or one) == 0:
                return True
            if one.type == "call_expression" and any(self._is_within(given) for given in arguments(one)):
                return True
            if self._place(one) and self._is_truth_value(one):
                return True
        return False

    def _is_truth_value(self, element: Node) -> bool:
        """Tell whether an element is tested by itself or compared with NUL."""
        at = element.parent
        if at is None or text(at.child_by_field_name("operator")) not in COMPARISONS:
            return True
        sides = [at.child_by_field_name(name) for name in ("left", "right")]
        return any(one is not None and self._unit.constant(one) == 0 for one in sides)

    def _bounds(self, node: Node, names: frozenset[str]) -> bool:
        """Tell whether a comparison may bound a place."""
        operator = text(node.child_by_field_name("operator"))
        sides = [one for name in ("left", "right") if (one := node.child_by_field_name(name)) is not None]
        if operator in ("!=", "=="):
            return any(text(bare(one)) in names for one in sides)
        if operator not in _ORDERS:
            return False
        return any(
            depends(one, lambda part: text(part) in names, but_for=lambda part: bool(self._place(part)))
            for one in sides
        )


def _moves(node: Node, names: frozenset[str]) -> bool:
    """Tell whether a statement changes one of the variables."""
    kinds = ("assignment_expression", "update_expression", "init_declarator")
    fields = (node.child_by_field_name(name) for name in ("left", "argument", "declarator"))
    return node.type in kinds and any(text(one) in names for one in fields)
