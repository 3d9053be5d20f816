"""Texts in C without an end: bytes that ``read``, ``recv`` or ``memcpy`` put into a buffer, used as a string."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.copies.lengths import Lengths
from cosec.checking.c.reading.expressions import depends, tested_first
from cosec.checking.c.reading.input import READS, byte_count
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import (
    Report,
    Unit,
    arguments,
    bare,
    called,
    declarations,
    literal,
    parameters,
    text,
    walk,
)
from cosec.checking.c.reading.types import BYTE, integer

if TYPE_CHECKING:
    from tree_sitter import Node

_READ = "c/out-of-bounds-read"
_FILLS = READS | {"memcpy": 0, "memmove": 0, "readlink": 1}
_USES = {
    **dict.fromkeys(("strlen", "puts", "fputs", "atoi", "atol", "atof", "strtol", "strtoul", "strdup", "system"), (0,)),
    **dict.fromkeys(("sscanf", "strtok", "strchr", "strrchr", "popen", "fopen", "getenv", "strtod"), (0,)),
    **dict.fromkeys(("strcmp", "strcasecmp", "strstr", "strspn", "strcspn", "strpbrk"), (0, 1)),
    **dict.fromkeys(("strcpy", "strcat", "stpcpy"), (1,)),
}
_PRINTS = {"printf": 0, "fprintf": 1, "sprintf": 1, "snprintf": 2, "syslog": 1, "dprintf": 1}
_HARMLESS = frozenset({"write", "send", "sendto", "fwrite", "memcmp", "close", "perror", "free", "sizeof", "fclose"})
_BUILDS = re.compile(r"(str(n|l)?(cpy|cat)|v?sn?printf|stpcpy|readlink|getcwd|realpath)$")
_CONVERSION = re.compile(r"%[-+ #0]*(\*|\d+)?(\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t|L)?([a-zA-Z%])")


def look(unit: Unit, function: Node, sizes: SizesOf, report: Report) -> None:
    """Look at the buffers of a function."""
    _last_letters(unit, function, report)
    _last_places(function, report)
    calls = [node for node in walk(function) if node.type == "call_expression"]
    fills = [call for call in calls if len(arguments(call)) >= 3 and called(call) in _FILLS]
    if not fills:
        return
    for fill in fills:
        _full(unit, function, fill, calls, sizes, report)
    fresh = _fresh(function) - _ended(function, calls)
    lengths = Lengths(unit, function)
    first = {name: text(bare(value)) for _, name, _, value in declarations(function) if value is not None}
    for fill in fills:
        given = arguments(fill)
        target = text(bare(given[_FILLS[called(fill)]]))
        if target not in fresh or not _leaves_open(called(fill), given, lengths, sizes):
            continue
        names = {target, *(name for name, value in first.items() if value == target)}
        for call in calls:
            if call.start_byte <= fill.start_byte:
                continue
            if any(_uses(call, name) for name in names):
                report(call, _READ, f"{target} may lack a terminating NUL: nothing writes one after {called(fill)}().")
                break


def _full(unit: Unit, function: Node, fill: Node, calls: list[Node], sizes: SizesOf, report: Report) -> None:
    """Report an array in a struct that is filled to its last byte with bytes from outside and used as a string."""
    name, given = called(fill), arguments(fill)
    target, count = bare(given[_FILLS[name]]), byte_count(unit, name, given, given[2], sizes.arrays)
    if target.type != "field_expression" or count is None or sizes.items(target) != (count, 1):
        return
    if name in ("memcpy", "memmove") and not _is_raw(function, given[1]):
        return
    array, struct = text(target), text(target.child_by_field_name("argument"))
    for node in (one for one in walk(function) if one.start_byte > fill.end_byte):
        if node.type == "assignment_expression" and _may_end(node.child_by_field_name("left"), array, struct):
            return
        if node.type != "call_expression":
            continue
        if _uses(node, array):
            report(node, _READ, f"{array} may lack a terminating NUL: {name}() may fill all of its {count} bytes.")
            return
        if called(node) not in {*_FILLS, *_PRINTS, *_HARMLESS} and any(
            text(bare(one)).removeprefix("&") in (array, struct) for one in arguments(node)
        ):
            return


def _is_raw(function: Node, source: Node) -> bool:
    """Tell whether an expression points into bytes that are no text: ``const unsigned char *``, ``void *``."""
    inner = bare(source)
    while inner.type == "binary_expression" and (left := inner.child_by_field_name("left")) is not None:
        inner = bare(left)
    kinds = [one.kind for one in parameters(function) if one.name == text(inner)]
    kinds += [kind for kind, name, _, _ in declarations(function) if name == text(inner)]
    return bool(kinds) and all(kind == "void" or integer(kind) == BYTE for kind in kinds)


def _may_end(left: Node | None, array: str, struct: str) -> bool:
    """Tell whether an assignment may write the end of a text into an array in a struct."""
    changed = [one.child_by_field_name("argument") for one in walk(left)] if left is not None else []
    pointer = text(left).removeprefix("*") == struct
    return pointer or any(text(one) == array for one in changed if one is not None)


def _last_letters(unit: Unit, function: Node, report: Report) -> None:
    """Report ``text[strlen(text) - 1]`` where nothing looks at whether the text is empty."""
    lengths = {
        name: text(arguments(bare(value))[0])
        for _, name, _, value in declarations(function)
        if value is not None and called(bare(value)) == "strlen" and arguments(bare(value))
    }
    conditions = [one for node in walk(function) if (one := node.child_by_field_name("condition")) is not None]
    for node in walk(function):
        array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
        if node.type != "subscript_expression" or array is None or index is None:
            continue
        length, less = (index.child_by_field_name(side) for side in ("left", "right"))
        if length is None or less is None or text(index.child_by_field_name("operator")) != "-":
            continue
        measured = text(arguments(length)[0]) if called(length) == "strlen" and arguments(length) else ""
        measured = measured or lengths.get(text(length), "")
        if measured != text(array) or unit.constant(less) != 1 or _is_built(function, text(array)):
            continue
        guards = {text(array), text(length), *(name for name, value in lengths.items() if value == measured)}
        if not any(_decides(one, node, guards) for one in [*conditions, *tested_first(function)]):
            report(node, _READ, f"{text(array)} may be empty; then this is the byte before it.", "warning")


def _last_places(function: Node, report: Report) -> None:
    """Report ``end = text + strlen(text) - 1`` where ``*end`` is used, and nothing compares ``end`` or the text."""
    parts = list(walk(function))
    conditions = [one for node in parts if (one := node.child_by_field_name("condition")) is not None]
    for node in parts:
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        if value is None or node.type not in ("init_declarator", "assignment_expression"):
            continue
        name = text(node.child_by_field_name("declarator") or node.child_by_field_name("left")).lstrip("* ")
        measured = (arguments(one) for one in walk(value) if called(one) == "strlen")
        string = next((text(one[0]) for one in measured if one), "")
        if not string or "".join(text(value).split()) != f"{string}+strlen({string})-1" or _is_built(function, string):
            continue
        looked_at = any(_looks_at(one, name, string) for one in [*conditions, *tested_first(function)])
        if not looked_at and any(text(one) in (f"*{name}", f"{name}[0]") for one in parts):
            report(node, _READ, f"{string} may be empty; then {name} is before it.", "warning")


def _looks_at(node: Node, name: str, string: str) -> bool:
    """Tell whether a condition depends on a text, or on a place in it other than by the letter there."""
    letter = (f"*{name}", f"{name}[0]")
    return depends(node, lambda one: text(one) in (name, string), but_for=lambda one: text(one) in letter)


def _decides(condition: Node, node: Node, names: set[str]) -> bool:
    """Tell whether a condition, other than by the letter in question, looks at a text or its length."""
    parts = (one for one in walk(condition) if not node.start_byte <= one.start_byte < node.end_byte)
    return any(text(one) in names for one in parts)


def _is_built(function: Node, name: str) -> bool:
    calls = (one for one in walk(function) if _BUILDS.match(called(one)) and arguments(one))
    return any(text(bare(arguments(one)[0])) == name for one in calls)


def _fresh(function: Node) -> set[str]:
    """Return the local buffers whose bytes are not set when they are made."""
    found = set()
    for _, name, declarator, value in declarations(function):
        shared = any(one.type == "storage_class_specifier" for one in _declaration(declarator).children)
        array = declarator.type == "array_declarator" and value is None and not shared
        if array or (value is not None and called(bare(value)) in ("malloc", "alloca")):
            found.add(name)
    return found


def _declaration(declarator: Node) -> Node:
    at = declarator
    while at.parent is not None and at.type != "declaration":
        at = at.parent
    return at


def _ended(function: Node, calls: list[Node]) -> set[str]:
    """Return the buffers into which something writes single bytes, zeros or texts."""
    found = set()
    for node in walk(function):
        if node.type == "assignment_expression" and (left := node.child_by_field_name("left")) is not None:
            measured = {text(bare(one)) for call in walk(left) if called(call) in _USES for one in arguments(call)}
            named = {text(one) for one in walk(left) if one.type == "identifier" and left.type != "identifier"}
            found |= named - measured
    known = {*_FILLS, *_USES, *_PRINTS, *_HARMLESS} - {"strcpy", "strcat", "stpcpy", "sprintf", "snprintf", "strtok"}
    for call in calls:
        given, name = arguments(call), called(call)
        if name in ("strcpy", "strcat", "stpcpy", "sprintf", "snprintf"):
            given = given[:1]
        elif name in known:
            continue
        found |= {text(one) for argument in given for one in walk(argument) if one.type == "identifier"}
    return found


def _leaves_open(name: str, given: list[Node], lengths: Lengths, sizes: SizesOf) -> bool:
    """Tell whether what is copied has no end of a text in it."""
    if name not in ("memcpy", "memmove"):
        return True
    count, source = lengths.number(given[2]), given[1]
    if count is None:
        return False
    if count.texts:
        return count.constant <= 0 and count.texts == lengths.of_text(source).texts
    content = lengths.of_text(source)
    held = content.constant + 1 if not content.texts else sizes.room(source)
    return held is not None and count.constant < held


def _uses(call: Node, target: str) -> bool:
    name, given = called(call), arguments(call)
    if name in _USES:
        return any(text(bare(given[place])) == target for place in _USES[name] if place < len(given))
    if name not in _PRINTS or len(given) <= _PRINTS[name]:
        return False
    form, values = literal(given[_PRINTS[name]]) or "", given[_PRINTS[name] + 1 :]
    at = 0
    for width, precision, kind in _CONVERSION.findall(form):
        if kind == "%":
            continue
        at += (width == "*") + ("*" in precision)
        if at < len(values) and kind == "s" and not precision and text(bare(values[at])) == target:
            return True
        at += 1
    return False
