"""What is known about the values of the expressions of a C function: ranges, and whether they come from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.function_flow import FunctionFlow
from cosec.checking.c.reading.input import READS
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Sizes,
    Unit,
    arguments,
    bare,
    called,
    declarations,
    is_static,
    parameters,
    text,
    walk,
)
from cosec.checking.c.reading.trees import loops_around
from cosec.checking.c.reading.types import INT, SharedTypes, Types

if TYPE_CHECKING:
    from tree_sitter import Node

_NUMBERS = frozenset({"atoi", "atol", "atoll", "strtol", "strtoll", "strtoul", "strtoull", "strtoimax", "strtoumax"})
_RANDOM = frozenset({"rand", "random", "rand_r"})
_NETWORK = {"ntohs": 2**16 - 1, "ntohl": 2**32 - 1, "be16toh": 2**16 - 1, "be32toh": 2**32 - 1, "le16toh": 2**16 - 1}
_NETWORK |= {"le32toh": 2**32 - 1, "be64toh": 2**64 - 1, "le64toh": 2**64 - 1}

_CASES = frozenset({"tolower", "toupper"})

_FIELD_READER = re.compile(
    r"(get|read|load|unpack|peek)_?(u|uint|be|le|net|ube|ule|short|word)?_?(16|24|32|short|word|long)"
)

_OTHER_PARTS = frozenset({"call_expression", "conditional_expression", "subscript_expression"})


class ValueFlow(FunctionFlow):
    """Follows values through one function."""

    def __init__(self, unit: Unit, function: Node, sizes: SizesOf, shared: SharedTypes) -> None:
        super().__init__(unit, function)
        self.room, self.types = sizes, Types(shared, function)
        self.parameters = tuple(one.name for one in parameters(function) if one.name)
        self.before: dict[int, Facts] = {}
        """Expressions such as ``n++`` -> the facts of their values."""
        self.received = {
            first_name(arguments(call)[READS[called(call)]])
            for call in walk(function)
            if call.type == "call_expression" and len(arguments(call)) > READS.get(called(call), 99)
        } & {name for _, name, one, _ in declarations(function) if one.type == "array_declarator"}
        """Local arrays that are filled from outside."""
        self.reassigned = {
            text(node.child_by_field_name("left")) for node in walk(function) if node.type == "assignment_expression"
        }
        """Variables that are assigned to."""

    def sizes(self) -> Sizes:
        """Arrays in scope."""
        return self.room.arrays

    def may_count(self, node: Node) -> bool:
        """Tell whether an expression is a variable that may count up to a bound; a parameter rather is the bound."""
        return node.type == "identifier" and text(node) not in self.parameters

    def facts(self, node: Node, state: dict[str, Facts]) -> Facts:
        """Return what is known about the value of an expression."""
        outer, node = node, bare(node)
        name = called(node)
        letter = self.letter(node)
        if text(node) in state or letter.negative:
            facts = state.get(text(node)) or letter
            cast = text(outer.child_by_field_name("type")) if outer.type == "cast_expression" else ""
            return replace(facts, low=max(0, facts.low or 0)) if is_unsigned(cast) else facts
        if name:
            return self._result(node, name, state)
        if node.type == "conditional_expression":
            yes, no = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
            condition = node.child_by_field_name("condition")
            if yes is not None and no is not None:
                first = self.facts(yes, self.assume(condition, True, state) or state)
                return first.joined(self.facts(no, self.assume(condition, False, state) or state))
        if node.type == "assignment_expression" and (right := node.child_by_field_name("right")):
            return self.facts(right, state)
        value = self.unit.constant(node, self.sizes())
        if value is not None:
            return Facts(low=value, high=value, bounded=True)
        if node.type == "binary_expression":
            return self._computed(node, state)
        if node.type == "field_expression":
            return self._member(node, state)
        if node.type == "update_expression":
            return self.before.get(node.id, Facts())
        return self._read_from(node)

    def _result(self, call: Node, name: str, state: dict[str, Facts]) -> Facts:
        if name in ("atoi", *_RANDOM):
            return Facts(outside=True, low=0 if name in _RANDOM else INT.low, high=INT.high)
        if name in _NUMBERS:
            return Facts(outside=True, low=0 if name.startswith("strtou") else None)
        given = arguments(call)
        if name in _CASES and given and (letter := self.facts(given[0], state)).negative:
            return letter
        if name in _NETWORK and given:
            inner = self.facts(given[0], state)
            return Facts(outside=inner.outside, message=inner.message, low=0, high=_NETWORK[name])
        if name in (*READS, "readlink") and len(given) >= 3:
            most = self.unit.constant(given[-2 if name == "fread" else 2], self.sizes())
            return Facts(high=most, bounded=most is not None)
        if _FIELD_READER.search(name) and given and (base := first_name(given[0])) in self.parameters:
            return Facts(message=base, low=0)
        return Facts()

    def _member(self, node: Node, state: dict[str, Facts]) -> Facts:
        """Return the facts of a number in a struct whose bytes were read from outside as a whole."""
        struct, kind = node.child_by_field_name("argument"), self.types.of(node)
        letter = kind is not None and kind.bits == 8 and kind.signed
        if struct is None or kind is None or letter or not state.get(text(struct), Facts()).outside:
            return Facts()
        return Facts(outside=True, low=None if kind.signed else 0, high=kind.high if kind.bits < 32 else None)

    def number_in(self, node: Node, known: dict[str, Facts]) -> Facts:
        """Return what is known of a bound."""
        return self.facts(node, known)

    def letter(self, node: Node) -> Facts:
        """Return the facts of a letter of a text that a function is given; a ``static`` one may rely on its callers."""
        array = node.child_by_field_name("argument")
        if node.type not in ("subscript_expression", "pointer_expression") or array is None or text(node)[0] == "&":
            return Facts()
        kind = self.types.of(node)
        signed = kind is not None and kind.signed and kind.bits == 8
        given = first_name(array) in self.parameters and not is_static(self.function)
        return Facts(negative=True, low=kind.low) if kind is not None and signed and given else Facts()

    def _read_from(self, node: Node) -> Facts:
        """Return the facts of a number that stands in a buffer: ``packet[2]``, ``*packet``."""
        array = node.child_by_field_name("argument")
        if node.type not in ("subscript_expression", "pointer_expression") or array is None or text(node)[0] == "&":
            return Facts()
        base = first_name(array)
        kind = self.types.of(node)
        if (
            (base in self.parameters or base in self.received)
            and kind is not None
            and not (kind.signed and kind.bits == 8)
        ):
            return Facts(message=base, low=kind.low, high=kind.high)
        return Facts()

    def _computed(self, node: Node, state: dict[str, Facts]) -> Facts:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = text(node.child_by_field_name("operator"))
        if left is None or right is None:
            return Facts()
        one, other = self.facts(left, state), self.facts(right, state)
        step = self.unit.constant(right, self.sizes())
        if operator in ("|", "^", "<<"):
            return Facts(outside=one.outside or other.outside, message=one.message or other.message)
        if operator == "&" and step is not None and step >= 0:
            return Facts(low=0, high=step, bounded=True, message=one.message)
        if operator == "%" and self._may_be_below_zero(node, left, state):
            most = step - 1 if step is not None and step > 0 else None
            return Facts(negative=True, low=None if most is None else -most, high=most, bounded=most is not None)
        if operator == "%" and step is not None and step > 0 and (one.outside or one.low is not None):
            low = 0 if one.low is not None and one.low >= 0 else 1 - step
            return Facts(outside=one.outside, low=low, high=step - 1, bounded=True)
        if operator == "/" and step is not None and step > 0 and one.outside:
            ends = [None if end is None else int(end / step) for end in (one.low, one.high)]
            return replace(one, low=ends[0], high=ends[1], past=False, over="")
        if (
            operator == "*"
            and one.high is not None
            and other.high is not None
            and min(one.low or 0, other.low or 0) >= 0
        ):
            return Facts(
                outside=one.outside or other.outside,
                low=(one.low or 0) * (other.low or 0),
                high=one.high * other.high,
                bounded=one.bounded and other.bounded,
                message=one.message or other.message,
            )
        if operator in ("+", "-"):
            return self._shifted(one, other, step, operator)
        both = one.message == other.message and not (one.bounded or other.bounded)
        return Facts(message=one.message) if operator == "*" and both else Facts()

    def _may_be_below_zero(self, remainder: Node, value: Node, state: dict[str, Facts]) -> bool:
        """Tell whether a remainder is that of a signed number that may be negative, as nothing compares its parts.

        The number is a difference, a parameter, or the hash of a text.
        """
        kind, inner = self.types.of(remainder), bare(value)
        left, right = inner.child_by_field_name("left"), inner.child_by_field_name("right")
        parts = list(walk(inner))
        if inner.type == "identifier":
            return kind is not None and kind.signed and self._may_be_any_number(text(inner), state)
        if text(inner.child_by_field_name("operator")) != "-" or left is None or right is None:
            return False
        if kind is None or not kind.signed or any(one.type in _OTHER_PARTS or one.type == "+" for one in parts):
            return False
        step, least = self.unit.constant(right, self.sizes()), self.facts(left, state).low
        if step is not None and least is not None:
            return least < step
        names = {text(one) for one in parts if one.type == "identifier"}
        chosen = all(one in self.parameters or not self.types.is_local(one) for one in names)
        mentioned = names | {text(one) for one in parts if one.type == "field_expression"}
        return chosen and not mentioned & self.reassigned and not mentioned & self._compared

    def _may_be_any_number(self, name: str, state: dict[str, Facts]) -> bool:
        """Tell whether nothing bounds a signed variable: a parameter, or a number that is multiplied in each turn.

        A ``static`` function may rely on its callers.
        """
        if name in self._compared or not self.types.is_local(name):
            return False
        given = name in self.parameters and name not in self.reassigned and not is_static(self.function)
        return (given and state.get(name, Facts()).low is None) or name in self._hashed

    @cached_property
    def _hashed(self) -> set[str]:
        """The variables that loops multiply and add to, and that no other statement keeps small."""
        found, kept = set(), set()
        for node in walk(self.function):
            name, right = text(node.child_by_field_name("left")), node.child_by_field_name("right")
            operator = text(node.child_by_field_name("operator"))
            if node.type == "binary_expression" and operator == "&":
                kept |= {text(one) for one in walk(node) if one.type == "identifier"}
            if node.type != "assignment_expression" or right is None:
                continue
            sums = [one for one in walk(right) if text(one.child_by_field_name("left")) == name]
            grows = any(text(one.child_by_field_name("operator")) in ("*", "<<") for one in sums)
            whole = text(bare(right).child_by_field_name("operator")) in ("+", "^")
            if operator == "=" and grows and whole and any(True for _ in loops_around(node)):
                found.add(name)
            elif operator != "=" or self.unit.constant(right) is None:
                kept.add(name)
        return found - kept

    @cached_property
    def _compared(self) -> set[str]:
        """The names and members in the conditions of the function."""
        conditions = (node.child_by_field_name("condition") for node in walk(self.function))
        asserted = (node for node in walk(self.function) if "assert" in called(node).lower())
        return {text(part) for one in (*conditions, *asserted) if one is not None for part in walk(one)}

    def _shifted(self, one: Facts, other: Facts, step: int | None, operator: str) -> Facts:
        message = one.message or other.message
        if one.low == one.high is not None or step is None:
            # The sum of two numbers: only its origin is kept.
            return Facts(message=message) if message and operator == "+" else Facts()
        if not (one.outside or one.bounded or one.message or one.negative):
            return Facts()
        step = step if operator == "+" else -step
        ends = [None if end is None else end + step for end in (one.low, one.high)]
        return replace(one, low=ends[0], high=ends[1], past=False, over="")


def first_name(node: Node) -> str:
    """Return the first identifier of an expression."""
    return next((text(one) for one in walk(node) if one.type == "identifier"), "")


def is_unsigned(kind: str) -> bool:
    """Tell whether a type's name is that of an unsigned type."""
    return "unsigned" in kind or kind.startswith(("uint", "size_t"))
