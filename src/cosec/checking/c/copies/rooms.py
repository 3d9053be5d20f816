"""What is known in a C function about the room of its buffers and the lengths of its texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.copies.pointees import pointees
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Sizes, Unit, arguments, bare, called, declarations, literal, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.c.texts.sources import Texts
    from cosec.checking.finding import Severity

_SYSTEM_MEMBERS = {"sun_path": 108, "d_name": 256, "sysname": 65, "nodename": 65, "release": 65, "machine": 65}
_SYSTEM_MEMBERS |= {"ifr_name": 16, "ut_user": 32, "ut_line": 32, "ut_host": 256, "ki_comm": 20, "ifrn_name": 16}
"""Arrays in structs of the system's headers -> their bytes."""
_SHORT_RESULTS = {"strerror": 100, "inet_ntoa": 15, "ctime": 25, "asctime": 25, "strsignal": 60}
"""Functions that return short texts -> the longest."""
_MEASURES = frozenset({"strlen", "strnlen"})
_SEARCHES = frozenset({"strchr", "strrchr", "strstr", "strpbrk", "memchr", "strchrnul", "strcasestr"})


class Room:
    """Sizes of buffers and bounds of texts in one function."""

    def __init__(
        self, unit: Unit, function: Node, sizes: SizesOf, passed: dict[str, int], texts: Texts | None = None
    ) -> None:
        self._function, self._texts = function, texts
        self.unit, self.sizes, self._known, self._passed = unit, sizes.arrays, sizes, passed
        self._measured = measured_texts(unit, function, sizes.arrays)
        self._literals = {
            name: content
            for _, name, _, value in declarations(function)
            if value is not None and (content := literal(value)) is not None and name not in sizes.arrays
        }
        self._pointees = pointees(function)
        self._searched = _searched(function)
        self._from_input = _unchecked_lengths(function, self._searched)
        conditions = (node.child_by_field_name("condition") for node in walk(function))
        self._conditions = [one for one in conditions if one is not None]
        self._set = {
            text(left.child_by_field_name("argument"))
            for node in walk(function)
            if node.type == "assignment_expression" and (left := node.child_by_field_name("left")) is not None
        }

    def level(self, node: Node | None) -> Severity:
        """Return how sure it is that a text of unknown length may be long."""
        outside = node is not None and self._texts is not None and self._texts.of(node, self._function) is not None
        return "error" if outside else "warning"

    def capacity(self, node: Node) -> int | None:
        """Return the most bytes that an expression has room for: those of ``buffer`` for ``buffer + n``."""
        inner = bare(node)
        if inner.type == "binary_expression" and (left := inner.child_by_field_name("left")) is not None:
            return self.capacity(left)
        known = self.items(inner)
        return known[0] * known[1] if known else None

    def items(self, node: Node) -> tuple[int, int] | None:
        """Return how many items an array has, and the bytes of one; None if unknown."""
        return self._known.items(node) if text(bare(node)) not in self._known.promised else None

    def longest(self, node: Node, steps: int = 0) -> int | None:
        """Return the maximum length of a text; None if nothing bounds it."""
        inner = bare(node)
        content = literal(node) if literal(node) is not None else self._literals.get(text(inner))
        if content is not None:
            return len(content)
        if inner.type == "conditional_expression":
            sides = [inner.child_by_field_name(name) for name in ("consequence", "alternative")]
            return self._longest_of([one for one in sides if one is not None], steps)
        if called(inner) in _SHORT_RESULTS:
            return _SHORT_RESULTS[called(inner)]
        if inner.type == "field_expression" or text(inner) in self.sizes:
            room = self.capacity(node) or _SYSTEM_MEMBERS.get(text(inner.child_by_field_name("field")))
            return room - 1 if room is not None else None
        if text(inner) in self._pointees and steps < 4:
            return self._longest_of(self._pointees[text(inner)], steps + 1)
        if inner.type == "binary_expression" and text(inner.child_by_field_name("operator")) == "+":
            left = inner.child_by_field_name("left")
            return self.longest(left, steps + 1) if left is not None and steps < 4 else None
        return self._passed.get(text(inner))

    def _longest_of(self, nodes: list[Node], steps: int) -> int | None:
        lengths = [self.longest(one, steps) for one in nodes]
        known = [one for one in lengths if one is not None]
        return max(known) if known and len(known) == len(lengths) else None

    def literal_bytes(self, node: Node) -> int | None:
        """Return the bytes of a literal, or of a variable that is set to one, with its end; None for other texts."""
        content = literal(node) if literal(node) is not None else self._literals.get(text(bare(node)))
        return len(content) + 1 if content is not None else None

    def was_measured(self, node: Node, call: Node, capacity: int | None = None) -> bool:
        """Tell whether an earlier condition tested the text's length, against no larger limit than ``capacity``."""
        return any(
            place < call.start_byte and (longest is None or capacity is None or longest < capacity)
            for place, longest in self._measured.get(text(bare(node)), ())
        )

    def is_unchecked_length(self, node: Node) -> bool:
        """Tell whether a number is a length from a message or from input, or in a text, that no condition compares."""
        return text(bare(node)) in self._from_input or self._is_open_distance(bare(node))

    def _is_open_distance(self, node: Node) -> bool:
        if not _is_distance(node, self._searched) or any(called(one) in _MEASURES for one in walk(self._function)):
            return False
        names = {text(one) for one in walk(node) if one.type == "identifier"}
        return not any(_orders(one, names) for each in self._conditions for one in walk(each))

    def is_terminated(self, node: Node) -> bool:
        """Tell whether the program assigns to an element of the array."""
        return text(bare(node)) in self._set


def measured_texts(unit: Unit, function: Node, arrays: Sizes) -> dict[str, list[tuple[int, int | None]]]:
    """Map texts whose length is tested in a condition to the places, each with the longest text that passes, if known.

    The length is tested directly or through a variable.
    """
    lengths = {
        name: text(arguments(bare(value))[0])
        for _, name, _, value in declarations(function)
        if value is not None and called(bare(value)) in _MEASURES and arguments(bare(value))
    }
    found: dict[str, list[tuple[int, int | None]]] = {}
    for node in walk(function):
        condition = node.child_by_field_name("condition")
        for one in walk(condition) if condition is not None else ():
            measured = called(one) in _MEASURES and arguments(one)
            name = text(arguments(one)[0]) if measured else lengths.get(text(one))
            if name is not None:
                found.setdefault(name, []).append((one.start_byte, _longest_passing(unit, one, arrays)))
    return found


def _longest_passing(unit: Unit, length: Node, arrays: Sizes) -> int | None:
    """Return the longest text that a comparison of its length with a constant lets pass; None if it is not known."""
    compared = length.parent
    if compared is None or compared.type != "binary_expression":
        return None
    left, right = compared.child_by_field_name("left"), compared.child_by_field_name("right")
    operator = text(compared.child_by_field_name("operator"))
    if left != length or right is None or operator not in (">", ">=", "<", "<="):
        return None
    limit = unit.constant(right, arrays)
    return None if limit is None else limit - (operator in (">=", "<"))


def _unchecked_lengths(function: Node, searched: set[str]) -> set[str]:
    """Return the variables that are set from a message or from input, and that no condition compares."""
    compared = {
        text(one)
        for node in walk(function)
        if (condition := node.child_by_field_name("condition")) is not None
        for one in walk(condition)
        if one.type == "identifier"
    }
    measures = any(called(one) in _MEASURES for one in walk(function))
    changed = {text(one.child_by_field_name("left")) for one in walk(function) if one.type == "assignment_expression"}
    found = set()
    for _, name, _, value in declarations(function):
        inner = bare(value) if value is not None else None
        if inner is None or name in compared:
            continue
        index = inner.child_by_field_name("index") if inner.type == "subscript_expression" else None
        if _is_distance(inner, searched) and not measures and name not in changed:
            found.add(name)
        if called(inner) in ("atoi", "atol", "strtol", "strtoul") or (index is not None and text(index).isdigit()):
            found.add(name)
    return found


def _searched(function: Node) -> set[str]:
    """Return the pointers that are set to what a search in a text found."""
    settings = (
        (node.child_by_field_name("declarator") or node.child_by_field_name("left"), bare(value))
        for node in walk(function)
        if node.type in ("init_declarator", "assignment_expression")
        and (value := node.child_by_field_name("value") or node.child_by_field_name("right")) is not None
    )
    return {text(name).lstrip("* ") for name, value in settings if called(value) in _SEARCHES}


def _orders(node: Node, names: set[str]) -> bool:
    """Tell whether a comparison says how far pointers are apart: more than that one of them is NULL."""
    mentioned = {text(one) for one in walk(node) if one.type == "identifier"}
    if names <= mentioned:
        return True
    return text(node.child_by_field_name("operator")) in ("<", "<=", ">", ">=") and bool(names & mentioned)


def _is_distance(node: Node, searched: set[str]) -> bool:
    """Tell whether a number is how far two places in a text are from each other, one of them found by a search."""
    if text(node.child_by_field_name("operator")) != "-":
        return False
    names = {text(one) for one in walk(node) if one.type == "identifier"}
    return len(names) == 2 and bool(names & searched)
