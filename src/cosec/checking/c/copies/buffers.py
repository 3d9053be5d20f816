"""Checks of C library functions that write into a buffer or read from one: does the data fit?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.copies import appends, byte_counts
from cosec.checking.c.copies.rooms import Room
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Report,
    Unit,
    arguments,
    called,
    is_static,
    literal,
    parameters,
    text,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.c.texts.sources import Texts

_CONVERSION = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|j|t|L)?([a-zA-Z%\[])")
_WIDTHS = {"d": 11, "i": 11, "u": 10, "x": 8, "X": 8, "o": 11, "c": 1, "p": 18, "%": 1}
_LONG_WIDTHS = {"d": 20, "i": 20, "u": 20, "x": 16, "X": 16, "o": 22}
_FLOAT_DIGITS = 40
"""Sign, and digits before the decimal point, of the largest float."""
_WRITE = "c/out-of-bounds-write"


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
    room = Room(unit, function, sizes, passed, texts)
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
            appends.look(room, function, call, given, report)
        elif name in wrappers and len(given) > max(wrappers[name]):
            _copied(room, call, name, [given[place] for place in wrappers[name]], report)
        else:
            byte_counts.look(room, call, name, given, report)


def _copied(room: Room, call: Node, name: str, given: list[Node], report: Report) -> None:
    capacity, longest = room.capacity(given[0]), room.longest(given[1])
    if capacity is None or room.was_measured(given[1], call, capacity) or room.was_measured(given[0], call):
        return
    if longest is None:
        why = f"{text(given[1])} may be longer than {text(given[0])} has room for."
        report(call, _WRITE, why, room.level(given[1]))
    elif longest + 1 > capacity and (literal(given[1]) is not None or name != "strcat"):
        report(call, _WRITE, f"{longest + 1} bytes may be written to {capacity}.")


def _printed(room: Room, call: Node, given: list[Node], report: Report) -> None:
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


def _scanned(room: Room, call: Node, given: list[Node], report: Report) -> None:
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


def passed_lengths(unit: Unit, sizes: dict[str, SizesOf]) -> dict[str, dict[str, int]]:
    """Return the parameters of ``static`` functions that get texts of known lengths only.

    Returns:
        Function -> parameter -> the longest text.
    """
    rooms: dict[str, Room] = {}
    found: dict[tuple[str, int], list[int | None]] = {}
    hidden = {name for name, function in unit.functions.items() if is_static(function)}
    mentioned = {text(node) for node in _values(unit)}
    for name, function in unit.functions.items():
        for call in walk(function) if hidden else ():
            target = called(call)
            if target not in hidden or target in mentioned:
                continue
            if name not in rooms:
                rooms[name] = Room(unit, function, sizes[name], {})
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
