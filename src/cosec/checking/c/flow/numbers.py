"""Arithmetic of a C function: sums that overflow, sizes that do not fit the variable that keeps them.

A number is suspect if it comes from outside: input, parameters that a caller fills with input, random numbers, and, for
the size of an allocation, any parameter. It is trusted once it was compared with an upper bound that is not a constant.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.values import ValueFlow, first_name
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Report,
    Unit,
    arguments,
    bare,
    called,
    text,
    walk,
)
from cosec.checking.c.reading.types import INT, SIZE, Integer, SharedTypes, integer

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity

OVERFLOW = "c/integer-overflow"
"""The pattern of numbers that leave their type."""

_ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "reallocarray", "alloca", "xmalloc", "xrealloc", "g_malloc"})
_COUNT = {"memcpy": 2, "memmove": 2, "memset": 2, "strncpy": 2, "strncat": 2, "read": 2, "recv": 2, "malloc": 0}
_COUNT |= {"calloc": 0, "realloc": 1, "xmalloc": 0, "alloca": 0}
_LARGEST_STRUCT = 4096
"""Bytes; `sizeof` is taken to be at most this where a number is bounded."""
_LIMIT = re.compile(r"_(MAX|MIN)\b\s*[-+]|__builtin_\w+_overflow|\bckd_\w+")


class NumberFlow(ValueFlow):
    """Follows numbers through one function and reports sums that overflow."""

    def __init__(self, unit: Unit, function: Node, report: Report, sizes: SizesOf, shared: SharedTypes) -> None:
        super().__init__(unit, function, sizes, shared)
        self.report = report
        calls = [node for node in walk(function) if node.type == "call_expression"]
        self._guarded = _guarded(function)
        blocks = [
            argument
            for call in calls
            if called(call) in _ALLOCATORS
            for argument in arguments(call)[-2 if called(call) in ("calloc", "reallocarray") else -1 :]
        ]
        self._sizes_of_blocks = {text(bare(argument)) for argument in blocks}
        self._in_sizes_of_blocks = {text(one) for each in blocks for one in walk(each) if one.type == "identifier"}
        self._counts = {
            text(bare(arguments(call)[_COUNT[called(call)]]))
            for call in calls
            if len(arguments(call)) > _COUNT.get(called(call), 99)
        }

    def sum(self, node: Node, left: Node, right: Node, state: dict[str, Facts]) -> None:
        """Look at a sum, difference or product; also at ``left += right``."""
        operator = text(node.child_by_field_name("operator")).rstrip("=")
        if operator not in ("+", "-", "*"):
            return
        sized = self._sizes_an_allocation(node) or (operator == "*" and _kept_in(node) in self._in_sizes_of_blocks)
        kind = self.types.of(node)
        if kind is None:
            return
        narrow = self.types.variable(_kept_in(node)) if sized else None
        kind = narrow if narrow is not None and narrow.bits < kind.bits else kind
        if operator == "*" and sized and all(self._may_be_large(side, state) for side in (left, right)):
            self._overflows(node, "warning")
            return
        repeated = text(node.child_by_field_name("operator")) == "*="
        if repeated and kind.signed and self.facts(right, state).loose:
            self._overflows(node)
            return
        counts = operator == "-" and self._is_count(node)
        if counts and not kind.signed and self._takes_too_much(left, right, state):
            self._overflows(node, "warning")
            return
        if not (kind.signed or sized or counts):
            return  # it may wrap
        for side, other in ((left, right),) if operator == "-" else ((left, right), (right, left)):
            suspect = self._is_suspect(side, other, operator, sized, state)
            if suspect and self._leaves(kind, side, other, operator, state):
                self._overflows(node, "error" if self.facts(side, state).outside else "warning")
                return

    def _takes_too_much(self, left: Node, right: Node, state: dict[str, Facts]) -> bool:
        """Tell whether a number in a message, compared with nothing, is taken away from the length that was given."""
        facts = self.facts(right, state)
        least = self.facts(left, state).low or 0
        bounded = facts.bounded and (facts.high is None or bool(facts.limits) or least >= facts.high)
        checked = bounded or text(bare(right)) in self._guarded
        return bool(facts.message) and not checked and self._is_parameter(left) and bare(left).type == "identifier"

    def _is_suspect(self, side: Node, other: Node, operator: str, sized: bool, state: dict[str, Facts]) -> bool:
        facts = self.facts(side, state)
        chosen = facts.outside or (sized and self._is_parameter(side) and facts.high is not None and operator == "*")
        if operator == "-" and self._is_count(side.parent) and facts.message:
            chosen = True
        if not chosen or text(bare(side)) in self._guarded:
            return False
        step = self.unit.constant(other, self.sizes())
        kind = self.types.of(bare(side))
        if operator == "-" and step is None and kind is not None and (kind.bits == 64 or not kind.signed):
            return False
        if operator == "*" and step is None and not sized and not self.facts(other, state).outside:
            return False
        # One more byte is for the end of a string, which only a number of 32 bits from outside can make too many.
        narrow = facts.outside and not facts.bounded and kind is not None and kind.bits == 32 and not kind.signed
        return not (sized and abs(step or 2) == 1 and operator != "*" and not narrow)

    def _leaves(self, kind: Integer, side: Node, other: Node, operator: str, state: dict[str, Facts]) -> bool:
        """Tell whether the result may lie outside its type."""
        facts, beside = self.facts(side, state), self.facts(other, state)
        one, two = self._range(side, facts, wide=True), self._range(other, beside, wide=operator == "*")
        if (
            facts.bounded
            and bare(other).type == "sizeof_expression"
            and self.unit.constant(other, self.sizes()) is None
        ):
            two = 1, _LARGEST_STRUCT
        if one is None or two is None or not (facts.outside or facts.message or beside.high is not None):
            return False
        if operator == "*":
            ends = [a * b for a in one for b in two]
        else:
            sign = 1 if operator == "+" else -1
            ends = [a + sign * b for a in one for b in two]
        return max(ends) > kind.high or (min(ends) < kind.low and (facts.outside or bool(facts.message)))

    def _range(self, node: Node, facts: Facts, *, wide: bool) -> tuple[int, int] | None:
        """Return the smallest and largest value; None if a comparison with an unknown bound makes it trusted.

        A number that nothing is known of is taken to be 1, or any number of its type with ``wide``.
        """
        if facts.bounded and facts.high is None:
            return None
        if not (wide or facts.outside or facts.message or facts.bounded):
            return 1, 1
        kind = self.types.of(bare(node)) or INT
        low = kind.low if facts.low is None else max(facts.low, kind.low)
        return low, kind.high if facts.high is None else min(facts.high, kind.high)

    def counted(self, node: Node, name: str, state: dict[str, Facts]) -> None:
        """Look at ``name++`` or ``name--``."""
        facts = state.get(name, Facts())
        rises = "++" in text(node)
        kind = self.types.variable(name)
        counts_down = not rises and (node.parent is None or node.parent.type != "expression_statement")
        if facts.outside and kind is not None and kind.signed and name not in self._guarded and not counts_down:
            edge = facts.high if rises else facts.low
            unsafe = not facts.bounded if rises else facts.low is None or facts.low <= kind.low
            if unsafe and (edge is None or (edge >= kind.high if rises else edge <= kind.low)):
                self._overflows(node)
        if rises:
            state[name] = replace(facts, high=None)
        else:
            state[name] = replace(facts, low=None, high=None if facts.high is None else facts.high - 1)

    def _overflows(self, node: Node, level: Severity = "error") -> None:
        self.report(node, OVERFLOW, f"{text(node)} may overflow: check the range before.", level)

    def assigned(self, name: str, right: Node, facts: Facts) -> Facts:
        """Return the facts of a variable that gets a value from outside: the value's type may be the smaller one."""
        kind, own = self.types.variable(name), self.types.of(bare(right))
        if facts.negative and kind is not None and not kind.signed:
            return Facts()
        if not facts.outside or kind is None:
            return facts
        if own is not None and own.bits < kind.bits + (own.signed and not kind.signed):
            low = own.low if facts.low is None else max(facts.low, own.low)
            high = own.high if facts.high is None and not facts.bounded else facts.high
            facts = replace(facts, low=low, high=high)
        return facts if kind.signed else replace(facts, low=max(0, facts.low or 0))

    def _sizes_an_allocation(self, node: Node) -> bool:
        return self._goes_to(node, self._sizes_of_blocks, _ALLOCATORS)

    def _is_count(self, node: Node | None) -> bool:
        """Tell whether an expression says how many bytes are copied or allocated."""
        return node is not None and self._goes_to(node, self._counts, frozenset(_COUNT))

    def _goes_to(self, node: Node, names: set[str], functions: frozenset[str]) -> bool:
        if name := _kept_in(node):
            return name in names
        at = _whole(node)
        return at.parent is not None and called(at.parent) in functions

    def _may_be_large(self, node: Node, state: dict[str, Facts]) -> bool:
        """Tell whether this is an unbounded number that the caller chose."""
        inner = bare(node)
        kind = self.types.of(inner)
        wide = kind is not None and (kind.bits == 32 or kind == SIZE)
        chosen = inner.type == "identifier" and self._is_parameter(inner) and text(inner) not in self._guarded
        cast = integer(text(node.child_by_field_name("type"))) if node.type == "cast_expression" else INT
        widened = cast is None or cast.bits > INT.bits
        return chosen and wide and not widened and not state.get(text(inner), Facts()).bounded

    def _is_parameter(self, node: Node) -> bool:
        return first_name(node) in self.parameters


def _whole(node: Node) -> Node:
    """Return the largest expression around a number of which it is a part."""
    at = node
    while at.parent is not None and at.parent.type in (
        *("binary_expression", "parenthesized_expression", "cast_expression", "argument_list"),
    ):
        at = at.parent
    return at


def _kept_in(node: Node) -> str:
    """Return the variable that a number is a part of the value of; empty for none."""
    at = _whole(node).parent
    if at is None or at.type not in ("init_declarator", "assignment_expression"):
        return ""
    return text(at.child_by_field_name("declarator") or at.child_by_field_name("left"))


def _guarded(function: Node) -> set[str]:
    """Return names in conditions that test for overflow beforehand, such as ``a > INT_MAX - b``."""
    return {
        text(one)
        for node in walk(function)
        if (condition := node.child_by_field_name("condition")) is not None
        and ("/" in text(condition) or _LIMIT.search(text(condition)))
        for one in walk(condition)
        if one.type == "identifier"
    }
