"""Sizes and lengths in C that are sums with variables or ``strlen``: does a copy need more than was allocated?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITE = "c/out-of-bounds-write"
_ALLOCATORS = {"malloc": 0, "alloca": 0, "xmalloc": 0, "valloc": 0, "g_malloc": 0, "realloc": 1, "xrealloc": 1}
_COPIES = frozenset({"strcpy", "strcat", "stpcpy"})
_COUNTED = {"memcpy": 2, "memmove": 2, "strncpy": 2, "snprintf": 1, "memset": 2, "fgets": 1}
_CONVERSION = re.compile(r"%[-+ #0]*(?:\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t|L)?([a-zA-Z%])")
_MOST_STEPS = 6


@dataclass(frozen=True)
class Length:
    """A number of bytes: a constant, the lengths of texts, and variables that keep their value."""

    constant: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """Text or variable -> how often its length or value is added."""

    def __add__(self, other: Length) -> Length:
        return Length(self.constant + other.constant, self.texts + other.texts)

    def times(self, factor: int) -> Length:
        """Return a multiple."""
        return Length(self.constant * factor, Counter({name: count * factor for name, count in self.texts.items()}))

    def exceeds(self, room: Length) -> bool:
        """Tell whether this is more than ``room`` whatever the texts are, or for all but empty ones."""
        more, less = self.texts - room.texts, room.texts - self.texts
        over = self.constant - room.constant
        return not less and (over > 0 or (over == 0 and bool(more)))


class Lengths:
    """The lengths that are known in one function."""

    def __init__(self, unit: Unit, function: Node) -> None:
        self._unit = unit
        self.values = assigned_once(function)
        """The variables that get a value at one place only, with that value."""
        self._fixed = never_set(function)
        self.room = dict(self._allocated(function))
        """Variable -> the bytes that it has room for, where they are a sum with variables or ``strlen``."""

    def number(self, node: Node, steps: int = 0) -> Length | None:
        """Return an expression as a sum with lengths and variables; None for other expressions."""
        node = bare(node)
        value = self._unit.constant(node)
        if value is not None:
            return Length(value)
        if steps > _MOST_STEPS:
            return None
        if called(node) == "strlen" and arguments(node):
            return self.of_text(arguments(node)[0])
        if node.type == "sizeof_expression":
            return Length(0, Counter({_sized(node): 1}))
        if node.type == "identifier" and text(node) in self._fixed:
            return Length(0, Counter({text(node): 1}))
        if node.type == "identifier" and text(node) in self.values:
            kept = self.values[text(node)]
            return Length(0, Counter({text(node): 1})) if _is_distance(kept) else self.number(kept, steps + 1)
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type != "binary_expression" or left is None or right is None:
            return None
        one, other = self.number(left, steps + 1), self.number(right, steps + 1)
        if one is None or other is None:
            return None
        return _computed(text(node.child_by_field_name("operator")), one, other)

    def of_text(self, node: Node) -> Length:
        """Return the length of a text."""
        content = literal(node)
        if content is None and bare(node).type == "identifier" and text(bare(node)) in self.values:
            content = literal(self.values[text(bare(node))])
        return Length(len(content)) if content is not None else Length(0, Counter({text(bare(node)): 1}))

    def _allocated(self, function: Node) -> Iterator[tuple[str, Length]]:
        for name, value in self.values.items():
            call = bare(value)
            given = arguments(call)
            size = None
            if called(call) in _ALLOCATORS and len(given) > _ALLOCATORS[called(call)]:
                size = self.number(given[_ALLOCATORS[called(call)]])
            elif called(call) == "calloc" and len(given) == 2:
                sides = self.number(given[0]), self.number(given[1])
                size = next((one for one, other in (sides, sides[::-1]) if one and other == Length(1)), None)
            if size is not None and size.texts:
                yield name, size
                yield from self._last_members(function, name, size)
        for kind, name, declarator, _ in declarations(function):
            length = declarator.child_by_field_name("size") if declarator.type == "array_declarator" else None
            size = self.number(length) if length is not None and kind in ("char", "unsigned char") else None
            if size is not None and size.texts:
                yield name, size

    def _last_members(self, function: Node, name: str, size: Length) -> Iterator[tuple[str, Length]]:
        """Iterate over the members without a size of their own of the struct in an allocated block, with their room."""
        declared = next((kind for kind, made, _, _ in declarations(function) if made == name), "")
        struct = next((one for one in (declared, f"*{name}", f"{name}[0]") if size.texts[one] == 1), None)
        if struct is None:
            return
        rest = Length(size.constant, size.texts - Counter({struct: 1}))
        for member in self._unit.open_ended.get(declared.removeprefix("struct "), ()):
            yield f"{name}->{member}", rest


def _is_distance(node: Node) -> bool:
    """Tell whether an expression is how far two pointers of a struct are apart: ``token->end - token->start``."""
    inner = bare(node)
    sides = [inner.child_by_field_name(name) for name in ("left", "right")]
    if text(inner.child_by_field_name("operator")) != "-":
        return False
    structs = {text(one.child_by_field_name("argument")) for one in sides if one is not None}
    return len(structs) == 1 and all(one is not None and one.type == "field_expression" for one in sides)


def _sized(node: Node) -> str:
    """Return what ``sizeof`` is asked of."""
    operand = node.child_by_field_name("value") or node.child_by_field_name("type")
    return text(bare(operand)) if operand is not None else text(node)


def _computed(operator: str, one: Length, other: Length) -> Length | None:
    if operator == "+":
        return one + other
    if operator == "-" and not other.texts:
        return one + Length(-other.constant)
    if operator == "*" and not (one.texts and other.texts):
        return one.times(other.constant) if one.texts else other.times(one.constant)
    return None


def look(function: Node, lengths: Lengths, report: Report) -> None:
    """Look at every copy in a function into memory whose size is a sum with variables or with ``strlen``."""
    if not lengths.room:
        return
    held: dict[str, Length | None] = {}
    for node in walk(function):
        name, given = called(node), arguments(node)
        target = text(bare(given[0])) if given else ""
        if target not in lengths.room:
            continue
        if name in _COPIES and len(given) == 2:
            written = lengths.of_text(given[1])
            before = held.get(target) if name == "strcat" else Length()
            held[target] = before + written if before is not None else None
            _compare(lengths, node, target, held[target], 1, report)
        elif name == "sprintf" and len(given) >= 2:
            held[target] = _printed(lengths, given[1:])
            _compare(lengths, node, target, held[target], 1, report)
        elif name in _COUNTED and len(given) > _COUNTED[name]:
            _compare(lengths, node, target, lengths.number(given[_COUNTED[name]]), 0, report)


def _compare(lengths: Lengths, node: Node, target: str, need: Length | None, more: int, report: Report) -> None:
    if need is not None and (need + Length(more)).exceeds(lengths.room[target]):
        report(node, _WRITE, f"{target} is too small for the whole text; count its terminating NUL byte.")


def _printed(lengths: Lengths, given: list[Node]) -> Length | None:
    """Return the least length of a formatted text."""
    form = literal(given[0])
    if form is None:
        return None
    total, at = Length(len(_CONVERSION.sub("", form))), 0
    for found in _CONVERSION.finditer(form):
        if found[1] == "%":
            total += Length(1)
            continue
        at += 1
        if "*" in found[0] or "." in found[0] or at >= len(given):
            return None
        total += lengths.of_text(given[at]) if found[1] == "s" else Length(1)
    return total


def assigned_once(function: Node) -> dict[str, Node]:
    """Return the variables that get a value at one place only, with that value."""
    return {name: found[0] for name, found in _settings(function).items() if len(found) == 1 and found[0] is not None}


def never_set(function: Node) -> frozenset[str]:
    """Return the parameters that keep the value that they are given."""
    return frozenset(one.name for one in parameters(function)) - _settings(function).keys()


def _settings(function: Node) -> dict[str, list[Node | None]]:
    """Return the values that each variable is set to; None for a change or a use of its address."""
    values: dict[str, list[Node | None]] = {}
    for node in walk(function):
        if node.type == "init_declarator":
            name = text(node.child_by_field_name("declarator")).lstrip("* ")
            values.setdefault(name, []).append(node.child_by_field_name("value"))
        elif node.type == "assignment_expression":
            name, plain = text(node.child_by_field_name("left")), text(node.child_by_field_name("operator")) == "="
            values.setdefault(name, []).append(node.child_by_field_name("right") if plain else None)
        elif node.type == "update_expression" or (node.type == "pointer_expression" and text(node).startswith("&")):
            values.setdefault(text(node.child_by_field_name("argument")), []).append(None)
    return values
