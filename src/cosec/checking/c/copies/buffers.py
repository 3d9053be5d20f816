"""Checks of C library functions that write into a buffer or read from one: does the data fit?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.copies.pointees import pointees
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Report,
    Sizes,
    Unit,
    arguments,
    bare,
    called,
    declarations,
    is_static,
    literal,
    parameters,
    text,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.c.texts.sources import Texts
    from cosec.checking.finding import Severity

_CONVERSION = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|j|t|L)?([a-zA-Z%\[])")
_WIDTHS = {"d": 11, "i": 11, "u": 10, "x": 8, "X": 8, "o": 11, "c": 1, "p": 18, "%": 1}
_LONG_WIDTHS = {"d": 20, "i": 20, "u": 20, "x": 16, "X": 16, "o": 22}
_FLOAT_DIGITS = 40
"""Sign, and digits before the decimal point, of the largest float."""
_BOUNDED = {"snprintf": 1, "fgets": 1, "read": 2, "recv": 2, "strncpy": 2, "memcpy": 2, "memmove": 2, "memset": 2}
_BOUNDED |= {"memcmp": 2}
_BUFFER = {"read": 1, "recv": 1}
_SOURCES = {"memcpy": (1,), "memmove": (1,), "memcmp": (0, 1)}
"""Functions that read so many bytes -> the places of what they read."""
_WRITES_TEXT = frozenset({"strcpy", "strcat", "strncpy", "strncat", "sprintf", "snprintf"})
_SYSTEM_MEMBERS = {"sun_path": 108, "d_name": 256, "sysname": 65, "nodename": 65, "release": 65, "machine": 65}
_SYSTEM_MEMBERS |= {"ifr_name": 16, "ut_user": 32, "ut_line": 32, "ut_host": 256, "ki_comm": 20, "ifrn_name": 16}
"""Arrays in structs of the system's headers -> their bytes."""
_SHORT_RESULTS = {"strerror": 100, "inet_ntoa": 15, "ctime": 25, "asctime": 25, "strsignal": 60}
"""Functions that return short texts -> the longest."""
_SEARCHES = frozenset({"strchr", "strrchr", "strstr", "strpbrk", "memchr", "strchrnul", "strcasestr"})
_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"


def look(
    unit: Unit, function: Node, sizes: SizesOf, report: Report, passed: dict[str, int], texts: Texts | None = None
) -> None:
    """Look at every call of a function.

    Args:
        unit: The file.
        function: The function.
        sizes: The sizes that are known in it.
        report: Takes what is found.
        passed: The parameters that are given texts of known lengths only, with the longest one.
        texts: The texts that come from outside; a copy of any other text of unknown length is only plausible.
    """
    room = _Room(unit, function, sizes, passed, texts)
    wrappers = unit.copying
    for call in walk(function):
        name, given = called(call), arguments(call)
        if not given:
            continue
        if name == "gets":
            report(call, _WRITE, "gets() knows no bound; use fgets().")
        elif name in ("strcpy", "strcat", "stpcpy") and len(given) == 2:
            _copied(room, call, name, given, report)
        elif name in ("sprintf", "vsprintf") and len(given) >= 2:
            _printed(room, call, given, report)
        elif name in ("scanf", "fscanf", "sscanf"):
            _scanned(room, call, given[0 if name == "scanf" else 1 :], report)
        elif name == "strncat" and len(given) == 3:
            _appended(room, function, call, given, report)
        elif name in wrappers and len(given) > max(wrappers[name]):
            _copied(room, call, name, [given[place] for place in wrappers[name]], report)
        elif name in _BOUNDED and len(given) > _BOUNDED[name]:
            _counted(room, call, name, given, report)


class _Room:
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
        self._from_input = _unchecked_lengths(function)
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
        known = self._known.items(node) if text(inner) not in self._known.promised else None
        return known[0] * known[1] if known else None

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
        content = literal(node) if literal(node) is not None else self._literals.get(text(bare(node)))
        return len(content) + 1 if content is not None else None

    def was_measured(self, node: Node, call: Node, capacity: int | None = None) -> bool:
        """Tell whether an earlier condition tested the text's length, against no larger limit than ``capacity``."""
        return any(
            place < call.start_byte and (longest is None or capacity is None or longest < capacity)
            for place, longest in self._measured.get(text(bare(node)), ())
        )

    def is_unchecked_length(self, node: Node) -> bool:
        return text(bare(node)) in self._from_input

    def is_terminated(self, node: Node) -> bool:
        """Tell whether the program assigns to an element of the array."""
        return text(bare(node)) in self._set


def _copied(room: _Room, call: Node, name: str, given: list[Node], report: Report) -> None:
    capacity, longest = room.capacity(given[0]), room.longest(given[1])
    if capacity is None or room.was_measured(given[1], call, capacity) or room.was_measured(given[0], call):
        return
    if longest is None:
        why = f"{text(given[1])} may be longer than {text(given[0])} has room for."
        report(call, _WRITE, why, room.level(given[1]))
    elif longest + 1 > capacity and (literal(given[1]) is not None or name != "strcat"):
        report(call, _WRITE, f"{longest + 1} bytes may be written to {capacity}.")


def _printed(room: _Room, call: Node, given: list[Node], report: Report) -> None:
    capacity, form = room.capacity(given[0]), literal(given[1])
    if capacity is None or form is None:
        return
    values = given[2:]
    total, at = len(_CONVERSION.sub("", form)) + 1, 0
    for _, width, precision, size, kind in _CONVERSION.findall(form):
        if kind == "%":
            total += 1
            continue
        at += (width == "*") + (precision == "*")
        value = values[at] if at < len(values) else None
        at += 1
        if kind == "s":
            longest = int(precision) if precision.isdigit() else room.longest(value) if value is not None else None
            if longest is None:
                if value is None or room.was_measured(value, call):
                    return
                why = f"{text(value)} may be longer than {text(given[0])} has room for."
                report(call, _WRITE, why, room.level(value))
                return
        elif kind in "fFeEgG":
            longest = (_FLOAT_DIGITS if kind in "fF" else 8) + 1 + (int(precision) if precision.isdigit() else 6)
        else:
            longest = (_LONG_WIDTHS if size in ("l", "ll", "z", "j", "t") else _WIDTHS).get(kind, 0)
        total += max(longest, int(width) if width.isdigit() else 0)
    if total > capacity and not _small_numbers_only(form, capacity):
        report(call, _WRITE, f"Up to {total} bytes may be written to {capacity}.", "warning")


def _small_numbers_only(form: str, capacity: int) -> bool:
    """Tell whether all conversions are padded numbers, as in a time; these keep to their width in practice."""
    found = _CONVERSION.findall(form)
    padded = all(kind in "dui" and width.isdigit() for _, width, _, _, kind in found)
    return padded and len(_CONVERSION.sub("", form)) + 1 + sum(int(one[1]) for one in found) <= capacity


def _scanned(room: _Room, call: Node, given: list[Node], report: Report) -> None:
    form = literal(given[0]) if given else None
    if form is None:
        return
    at = 1
    for found in re.finditer(r"%(\*)?(\d+)?(?:hh|h|ll|l|z|j|t|L)?([a-zA-Z%\[])", form):
        if found[1] or found[3] == "%":
            continue
        target = given[at] if at < len(given) else None
        at += 1
        if found[3] not in ("s", "[") or target is None:
            continue
        capacity = room.capacity(target)
        if found[2] is None:
            known = called(call) != "sscanf" or capacity is not None
            report(call, _WRITE, f"A word of any length is read into {text(target)}.", "error" if known else "warning")
        elif capacity is not None and int(found[2]) + 1 > capacity:
            report(call, _WRITE, f"{int(found[2]) + 1} bytes may be written to {capacity}.")


def _counted(room: _Room, call: Node, name: str, given: list[Node], report: Report) -> None:
    target, count = given[_BUFFER.get(name, 0)], given[_BOUNDED[name]]
    capacity, number = room.capacity(target), room.unit.constant(count, room.sizes)
    if capacity is not None and number is not None and number > capacity and name != "memcmp":
        report(call, _WRITE, f"{number} bytes may be written to {capacity}.")
    if name in _SOURCES:
        for source in (given[place] for place in _SOURCES[name]):
            held = room.literal_bytes(source)
            held = held if held is not None else room.capacity(source)
            if held is not None and number is not None and number > held:
                report(call, _READ, f"{number} bytes are read from {held}.")
    if name == "strncpy" and number is not None and number == capacity:
        _without_end(room, call, number, given, report)
    if capacity is None or name in ("fgets", "memset", "memcmp") or number is not None:
        return
    if room.is_unchecked_length(count):
        report(call, _WRITE, f"The length {text(count)} is not compared with the size of {text(target)}.")
    measured = next((one for one in walk(count) if called(one) == "strlen" and arguments(one)), None)
    if measured is not None and count.type in ("call_expression", "binary_expression"):
        source = arguments(measured)[0]
        longest = room.longest(source)
        if (longest is None and not room.was_measured(source, call)) or (longest or 0) + 1 > capacity:
            why = f"{text(source)} may be longer than {text(target)} has room for."
            report(call, _WRITE, why, room.level(source))


def _appended(room: _Room, function: Node, call: Node, given: list[Node], report: Report) -> None:
    """Look at ``strncat``, whose bound is that of the appended text and not that of the buffer."""
    capacity, number = room.capacity(given[0]), room.unit.constant(given[2], room.sizes)
    longest = room.longest(given[1])
    if capacity is None or number is None or (longest is not None and longest < number):
        return
    target = text(bare(given[0]))
    filled = any(
        called(one) in _WRITES_TEXT and text(bare(arguments(one)[0])) == target
        for one in walk(function)
        if one.start_byte < call.start_byte and arguments(one)
    )
    if number >= capacity or (filled and number == capacity - 1):
        report(call, _WRITE, f"{number} bytes may be appended to what {target} holds, and it has {capacity}.")


def _without_end(room: _Room, call: Node, number: int, given: list[Node], report: Report) -> None:
    longest = room.longest(given[1])
    if (longest is None or longest >= number) and not room.is_terminated(given[0]):
        report(call, _READ, f"{text(given[0])} is unterminated if {text(given[1])} fills it.", room.level(given[1]))


def measured_texts(unit: Unit, function: Node, arrays: Sizes) -> dict[str, list[tuple[int, int | None]]]:
    """Map texts whose length is tested in a condition to the places, each with the longest text that passes, if known.

    The length is tested directly or through a variable.
    """
    lengths = {
        name: text(arguments(bare(value))[0])
        for _, name, _, value in declarations(function)
        if value is not None and called(bare(value)) in ("strlen", "strnlen") and arguments(bare(value))
    }
    found: dict[str, list[tuple[int, int | None]]] = {}
    for node in walk(function):
        condition = node.child_by_field_name("condition")
        for one in walk(condition) if condition is not None else ():
            measured = called(one) in ("strlen", "strnlen") and arguments(one)
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


def passed_lengths(unit: Unit, sizes: dict[str, SizesOf]) -> dict[str, dict[str, int]]:
    """Return the parameters of ``static`` functions that get texts of known lengths only.

    Returns:
        Function -> parameter -> the longest text.
    """
    rooms: dict[str, _Room] = {}
    found: dict[tuple[str, int], list[int | None]] = {}
    hidden = {name for name, function in unit.functions.items() if is_static(function)}
    mentioned = {text(node) for node in _values(unit)}
    for name, function in unit.functions.items():
        for call in walk(function) if hidden else ():
            target = called(call)
            if target not in hidden or target in mentioned:
                continue
            if name not in rooms:
                rooms[name] = _Room(unit, function, sizes[name], {})
            room = rooms[name]
            for place, one in enumerate(arguments(call)):
                found.setdefault((target, place), []).append(room.longest(one))
    passed: dict[str, dict[str, int]] = {}
    for (name, place), lengths in found.items():
        names = [one.name for one in parameters(unit.functions[name])]
        known = [one for one in lengths if one is not None]
        if place < len(names) and len(known) == len(lengths):
            passed.setdefault(name, {})[names[place]] = max(known)
    return passed


def _values(unit: Unit) -> Iterator[Node]:
    """Iterate over names that stand for a value and are not called: a function among them is called from elsewhere."""
    for node in walk(unit.root):
        if node.type == "identifier" and text(node) in unit.functions and node.parent is not None:
            parent = node.parent
            if parent.type not in ("function_declarator", "call_expression"):
                yield node


def _unchecked_lengths(function: Node) -> dict[str, str]:
    """Map variables that are set from a message or from input, and compared by no condition, to the message."""
    compared = {
        text(one)
        for node in walk(function)
        if (condition := node.child_by_field_name("condition")) is not None
        for one in walk(condition)
        if one.type == "identifier"
    }
    searched = _searched(function)
    measures = any(called(one) in ("strlen", "strnlen") for one in walk(function))
    changed = {text(one.child_by_field_name("left")) for one in walk(function) if one.type == "assignment_expression"}
    found = {}
    for _, name, _, value in declarations(function):
        inner = bare(value) if value is not None else None
        if inner is None or name in compared:
            continue
        index = inner.child_by_field_name("index") if inner.type == "subscript_expression" else None
        if _is_distance(inner, searched) and not measures and name not in changed:
            found[name] = ""
        if called(inner) in ("atoi", "atol", "strtol", "strtoul") or (index is not None and text(index).isdigit()):
            found[name] = text(inner.child_by_field_name("argument")) if index is not None else ""
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


def _is_distance(node: Node, searched: set[str]) -> bool:
    """Tell whether a number is how far two places in a text are from each other, one of them found by a search."""
    if text(node.child_by_field_name("operator")) != "-":
        return False
    names = {text(one) for one in walk(node) if one.type == "identifier"}
    return len(names) == 2 and bool(names & searched)
