"""Calls of C that write or read a given number of bytes, such as ``memcpy`` and ``fread``: do so many fit?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.copies.rooms import Room
from cosec.checking.c.reading.input import READS, byte_count
from cosec.checking.c.reading.syntax import Report, arguments, bare, called, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_COUNT = {"snprintf": 1, "vsnprintf": 1, "fgets": 1, "getcwd": 1, "gethostname": 1, "readlink": 2, "strlcpy": 2}
_COUNT |= {"strlcat": 2, "read": 2, "recv": 2, "recvfrom": 2, "pread": 2, "fread": 2, "strncpy": 2, "memcpy": 2}
_COUNT |= {"memmove": 2, "memset": 2, "memcmp": 2}
"""Functions -> the place of the number of bytes."""
_WIDE = {"mbstowcs": 2, "mbsrtowcs": 2, "wcsncpy": 2, "wmemcpy": 2, "wmemset": 2, "swprintf": 1, "fgetws": 1}
"""Functions that write wide characters -> the place of their number."""
_BUFFER = READS | {"readlink": 1}
_SOURCES = {"memcpy": (1,), "memmove": (1,), "memcmp": (0, 1)}
"""Functions that read so many bytes -> the places of what they read."""
_COPIES = frozenset({"snprintf", "read", "recv", "recvfrom", "pread", "fread", "strncpy", "memcpy", "memmove"})
"""Functions that fill as many bytes as they are told."""
_WRITE, _READ = "c/out-of-bounds-write", "c/out-of-bounds-read"


def look(room: Room, call: Node, name: str, given: list[Node], report: Report) -> None:
    """Look at one call; calls of other functions are passed over."""
    if len(given) > _WIDE.get(name, len(given)):
        _wide(room, call, given[0], given[_WIDE[name]], report)
    if len(given) <= _COUNT.get(name, len(given)):
        return
    target, count = given[_BUFFER.get(name, 0)], given[_COUNT[name]]
    capacity, number = room.capacity(target), byte_count(room.unit, name, given, count, room.sizes)
    if name != "memcmp" and _is_whole_struct(room, target, given):
        report(call, _WRITE, f"{text(target)} is a part of the struct whose size is given.")
    if number is not None:
        _fixed(room, call, name, target, number, report)
    elif capacity is not None and name in _COPIES:
        _open(room, call, target, count, capacity, report)


def _wide(room: Room, call: Node, target: Node, count: Node, report: Report) -> None:
    """Look at a call that is told how many wide characters it may write; ``sizeof`` counts bytes instead."""
    known, number = room.items(target), room.unit.constant(count, room.sizes)
    if known is not None and number is not None and number > known[0]:
        report(call, _WRITE, f"{number} wide characters may be written to {known[0]}.")


def _fixed(room: Room, call: Node, name: str, target: Node, number: int, report: Report) -> None:
    """Look at a call that is told a constant number of bytes."""
    given, capacity = arguments(call), room.capacity(target)
    if capacity is not None and number > capacity and name != "memcmp":
        report(call, _WRITE, f"{number} bytes may be written to {capacity}.")
    for source in (given[place] for place in _SOURCES.get(name, ())):
        held = room.literal_bytes(source)
        held = held if held is not None else room.capacity(source)
        if held is not None and number > held:
            report(call, _READ, f"{number} bytes are read from {held}.")
    if name == "strncpy" and number == capacity:
        longest = room.longest(given[1])
        if (longest is None or longest >= number) and not room.is_terminated(target):
            why = f"{text(target)} is unterminated if {text(given[1])} fills it."
            report(call, _READ, why, room.level(given[1]))


def _open(room: Room, call: Node, target: Node, count: Node, capacity: int, report: Report) -> None:
    """Look at a call whose number of bytes is computed."""
    if room.is_unchecked_length(count):
        report(call, _WRITE, f"The length {text(count)} is not compared with the size of {text(target)}.")
    measured = next((one for one in walk(count) if called(one) == "strlen" and arguments(one)), None)
    if measured is not None and count.type in ("call_expression", "binary_expression"):
        source = arguments(measured)[0]
        longest = room.longest(source)
        if (longest is None and not room.was_measured(source, call)) or (longest or 0) + 1 > capacity:
            why = f"{text(source)} may be longer than {text(target)} has room for."
            report(call, _WRITE, why, room.level(source))


def _is_whole_struct(room: Room, target: Node, given: list[Node]) -> bool:
    """Tell whether an array in a struct is given the size of the whole struct, and other members come before it."""
    member = bare(target)
    if member.type != "field_expression":
        return False
    name, struct = text(member.child_by_field_name("field")), text(member.child_by_field_name("argument"))
    holders = {one: members for one, members in room.unit.layouts.items() if name in members}
    if name not in room.unit.members or any(members[0] == name for members in holders.values()):
        return False
    named = {f"*{struct}", f"{struct}[0]"} if "->" in text(member) else {struct}
    for one in given:
        operand = one.child_by_field_name("value") or one.child_by_field_name("type")
        if one.type == "sizeof_expression" and operand is not None:
            asked = text(bare(operand))
            if asked in named or asked.removeprefix("struct ") in holders:
                return True
    return False
