"""Checks of indices and of the lengths of copies in C: is the number within the bounds of the buffer?

An index is suspect if it comes from outside and was not compared with both of its bounds. The length of a copy is
suspect if it is known to reach past the end of the target, or if it was read from the message that it is to bound.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.narrowing import NarrowNumbers
from cosec.checking.c.flow.values import first_name
from cosec.checking.c.reading.input import READS
from cosec.checking.c.reading.syntax import arguments, bare, called, text, walk
from cosec.checking.c.reading.trees import is_written
from cosec.checking.c.reading.types import BYTE, SIZE, integer

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity

_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"
_COUNT = {
    "memcpy": 2,
    "memmove": 2,
    "strncpy": 2,
    "read": 2,
    "recv": 2,
    "memset": 2,
    "write": 2,
    "send": 2,
    "fwrite": 2,
}
_TARGET = {"memcpy": 0, "memmove": 0, "strncpy": 0, "read": 1, "recv": 1, "memset": 0}
_SOURCE = {"memcpy": 1, "memmove": 1, "write": 1, "send": 1, "fwrite": 0}
_SIZE_NAME = re.compile(
    r"(^|_)(n|len|length|size|count|avail|remaining|left|bytes|sz|nbytes|total|end|limit)\d?$", re.I
)

_ROOM_NAME = re.compile(r"(size|sz|cap|capacity|max|room|(out|buf|dst|dest)_?len)$", re.I)
_OFFSETS = re.compile(r"(ptrs?|offs(ets?)?|starts?|prefix(es)?|sums?)$", re.I)
_LETTER_TESTS = re.compile(r"is(alpha|alnum|digit|xdigit|ascii|upper|lower|print|graph|space|punct|cntrl)$")


class IndexFlow(NarrowNumbers):
    """Follows indices and lengths through one function."""

    def index(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at ``array[index]``."""
        array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
        if array is None or index is None:
            return
        if node.parent is not None and node.parent.type == "pointer_expression" and text(node.parent).startswith("&"):
            return  # only its address is taken, which may be that of the end
        facts = self.facts(index, state)
        known = self.room.items(array) if text(bare(array)) not in self.room.promised else None
        wrong = _suspect(facts, known[0] if known is not None else None)
        if not wrong and known is not None and not facts.bounded and self._is_any_byte(index, facts, known[0]):
            wrong = "may be 255, past the end"
        if not wrong and facts.low is None and facts.bounded and self._is_signed_parameter(index):
            wrong = "may be negative"
        if not wrong and facts.past and first_name(index) in self.parameters:
            wrong = f"may equal the length of {text(array)}"
        if not wrong and facts.past and is_written(node) and self._is_its_size(text(array), facts.limits):
            wrong = f"may equal the size of {text(array)}"
        if not wrong and facts.negative and (facts.low is None or facts.low < 0):
            wrong = "may be negative"
        wrong = wrong or self._past_count(node, array, index, facts)
        if wrong:
            sure = not facts.over and (facts.outside or (facts.high is not None and not facts.negative))
            level: Severity = "error" if sure else "warning"
            self.report(node, _WRITE if is_written(node) else _READ, f"The index {text(index)} {wrong}.", level)
        elif facts.message and not is_written(node):
            self._past_message(node, array, facts, index, state)

    def copied(self, call: Node, name: str, given: list[Node], state: dict[str, Facts]) -> None:
        """Look at a function that copies a number of bytes."""
        place = _COUNT.get(name, 99)
        if len(given) <= place:
            return
        count = given[place]
        if self.unit.constant(count, self.sizes()) is not None:
            return
        facts = self.facts(count, state)
        target = given[_TARGET[name]] if name in _TARGET else None
        room = self.room.room(target) if target is not None else None
        wrong = ""
        if target is not None and room is not None:
            wrong = self._past_target(facts, count, target, room)
        if wrong:
            self.report(call, _WRITE, wrong, "error" if facts.outside or facts.bounded else "warning")
            return
        if name in _SOURCE:
            source = given[_SOURCE[name]]
            held = self.room.room(source)
            if held is not None and facts.bounded and facts.high is not None and facts.high > held:
                self.report(call, _READ, f"{text(count)} may be {facts.high}, and {text(source)} has {held} bytes.")
            self._past_message(call, source, facts, count, state)

    def _past_target(self, facts: Facts, count: Node, target: Node, room: int) -> str:
        """Return why a number of bytes may be more than the target has room for; empty if it may not."""
        if facts.high is not None and facts.high <= room and facts.low is not None and facts.low >= 0:
            return ""
        if facts.high is not None and facts.high > room and (facts.bounded or facts.message):
            return f"{text(count)} may be {facts.high}, and {text(target)} has room for {room} bytes."
        unchecked = (facts.outside or facts.message) and not facts.bounded
        if unchecked and (facts.high is None or facts.outside):
            return f"The length {text(count)} is not compared with the size of {text(target)}."
        return ""

    def buffer_of(self, node: Node) -> str:
        """Return the name of the message whose bytes an expression points to; empty for anything else."""
        name = first_name(node)
        return name if name in self.parameters or name in self.received else ""

    def _past_message(self, node: Node, source: Node, facts: Facts, count: Node, state: dict[str, Facts]) -> None:
        """Report a read of as many bytes of a message as it says itself."""
        message = facts.message
        if not message or not any(text(one) == message for one in walk(source)):
            return
        size = self._size_of(message)
        if facts.limits and not self._say_room_only(facts.limits, message, size):
            return
        if size is None and facts.bounded:
            return
        least = state.get(size, Facts()).low if size is not None else None
        if facts.bounded and facts.high is not None and least is not None and least >= facts.high:
            return
        why = f"The length {text(count)} in the message is not compared with the message's size."
        self.report(node, _READ, why, "warning")

    def _say_room_only(self, limits: frozenset[str], message: str, size: str | None) -> bool:
        """Tell whether all bounds are sizes of other buffers that the function is given, and none of the message."""
        pairs = {size_name: buffer for buffer, size_name in pairwise(self.parameters)}
        if size is None or pairs.get(size) != message or size in limits:
            return False
        sizes = all(_SIZE_NAME.search(one) or _ROOM_NAME.search(one) for one in limits)
        return sizes and all(pairs.get(one, message) != message for one in limits)

    def _size_of(self, message: str) -> str | None:
        """Return the variable that says how long a message is."""
        if message in self.received:
            return self._lengths_read.get(message)
        named = (one for one in self.parameters if _SIZE_NAME.search(one) and self.types.variable(one) is not None)
        after = dict(pairwise(self.parameters)).get(message, "")
        return next((name for name in named if name != message), after if self.types.variable(after) == SIZE else None)

    @cached_property
    def _lengths_read(self) -> dict[str, str]:
        """Map local arrays to the variables that keep how many bytes were read into them."""
        found = {}
        for node in walk(self.function):
            value = node.child_by_field_name("value") or node.child_by_field_name("right")
            call = bare(value) if value is not None else None
            if call is None or node.type not in ("init_declarator", "assignment_expression"):
                continue
            given = arguments(call)
            if len(given) > READS.get(called(call), 99):
                name = text(node.child_by_field_name("declarator") or node.child_by_field_name("left"))
                found[first_name(given[READS[called(call)]])] = name
        return found

    def _is_its_size(self, array: str, limits: frozenset[str]) -> bool:
        """Tell whether a bound is the number of bytes that the function was given with a buffer."""
        sizes = dict(pairwise(self.parameters))
        return bool(limits) and limits == {sizes.get(array, "")} and any(map(_ROOM_NAME.search, limits))

    def _past_count(self, node: Node, array: Node, index: Node, facts: Facts) -> str:
        """Return what is wrong with a read up to and with the number of elements in the same struct; empty for nothing.

        The place behind the letters of a text may hold its NUL, an array may be allocated with one element more or end
        with a NULL, and offsets have one more than there are rows.
        """
        inner, name = bare(array), text(bare(index))
        given = name in self.parameters and name not in self.reassigned and facts.low is None
        if not facts.over or is_written(node) or not (facts.low == 0 or given) or name in self._told_apart:
            return ""
        struct, _, member = facts.over.rpartition("->" if "->" in facts.over else ".")
        field, element = text(inner.child_by_field_name("field")), self.types.of(node)
        if text(inner.child_by_field_name("argument")) != struct or field in ("", member):
            return ""
        letters = element is not None and element.bits == BYTE.bits
        longer = _OFFSETS.search(field) or _is_compared_with_null(node) or self._is_allocated_longer(field)
        return "" if letters or longer else f"may equal {facts.over}"

    def _is_allocated_longer(self, field: str) -> bool:
        """Tell whether the file sets a member to memory for more than a number of elements: ``malloc(n + 1)``."""
        for node in walk(self.unit.root):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if node.type != "assignment_expression" or left is None or right is None or "+" not in text(right):
                continue
            if text(left.child_by_field_name("field")) == field and "alloc" in text(right):
                return True
        return False

    @cached_property
    def _told_apart(self) -> set[str]:
        """The variables that the function counts down, or compares for equality."""
        found = set()
        for node in walk(self.function):
            operator, left = text(node.child_by_field_name("operator")), text(node.child_by_field_name("left"))
            if node.type == "update_expression" and operator == "--":
                found.add(text(node.child_by_field_name("argument")))
            elif operator in ("-=", "==", "!="):
                found |= {left, text(node.child_by_field_name("right"))}
            elif node.type == "unary_expression" and operator == "!":
                found.add(text(node.child_by_field_name("argument")))
        return found

    def _is_any_byte(self, index: Node, facts: Facts, items: int) -> bool:
        """Tell whether an index is a byte that was read from outside, or a letter, and the array has fewer items."""
        if facts.message in self.received and facts.high is not None:
            return facts.high >= items
        letter = index.type == "cast_expression" and integer(text(index.child_by_field_name("type"))) == BYTE
        tested = any(_LETTER_TESTS.match(called(one)) for one in walk(self.function) if one.type == "call_expression")
        return letter and items <= BYTE.high and bare(index).type != "binary_expression" and not tested

    def _is_signed_parameter(self, index: Node) -> bool:
        name = first_name(index)
        if name in self.reassigned:
            return False
        declared = self.types.declared.get(name, ("", 1))
        kind = integer(declared[0]) if declared[1] == 0 else None
        return name in self.parameters and kind is not None and kind.signed and kind.bits > 8


def _is_compared_with_null(node: Node) -> bool:
    """Tell whether an element is compared with NULL, or tested as a pointer is."""
    around = node.parent
    return (
        around is not None
        and text(around.child_by_field_name("operator")) in ("==", "!=", "!")
        and (around.type == "unary_expression" or "NULL" in text(around))
    )


def _suspect(facts: Facts, items: int | None) -> str:
    """Return what is wrong with an index into an array of so many items; empty for nothing."""
    if items is not None and facts.high is not None and facts.high < items and facts.low is not None and facts.low >= 0:
        return ""
    may_be_negative = facts.outside and (facts.low is None or facts.low < 0)
    if may_be_negative and not facts.bounded:
        return "may be negative"
    if facts.outside and not facts.bounded:
        return "is not compared with the length first"
    if items is not None and facts.bounded and facts.high is not None and facts.high >= items:
        return f"may be {facts.high}, past the end"
    if may_be_negative:
        return "may be negative"
    if facts.outside and facts.past:
        return "is not compared with the length first"
    return "is compared with an unchecked number only" if items is not None and facts.loose else ""
