"""Composition of text by concatenation, f-strings, ``format``, ``%`` and ``join``, piece by piece."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence

from cosec.checking.python.engine.domain.values import (
    EACH,
    LEADING,
    MAX_CONSTANTS,
    WHOLE,
    Part,
    Value,
    constant,
    join_all,
    limited,
)

_MAX_PARTS = 60
TEXT_STEP = "text:"
"""Start of the step from a text to one that contains it; the letters around it follow."""

HERE = "\1"
"""The place of the text among these letters; U+0000 stands for other unknown pieces."""

_BEFORE, _AFTER = 200, 40
"""Maximum numbers of letters before and after it."""

NUMERIC = frozenset("dioxXeEfFgGcn%b")
"""Conversions that accept numbers only."""

_PERCENT = re.compile(r"%(?:\((\w+)\))?[-#0 +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[hlL]?([diouxXeEfFgGcrsa%])")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}:!]*)(?:!([rsa]))?(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}")
_Pick = Callable[[str | None, int], Value]


def compose(pieces: Sequence[Value]) -> Value:
    """Return the text that ``pieces`` form in this order; it is no markup."""
    parts: list[Part] = []
    for piece in pieces:
        for part in piece.text():
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
    if all(isinstance(part, str) for part in parts):
        return constant("".join(part for part in parts if isinstance(part, str)))
    derived: list[Part] = []
    alone = len(parts) == 1
    letters, at = _letters(parts), 0
    for place, part in enumerate(parts[:_MAX_PARTS]):
        if isinstance(part, str):
            at += len(part)
            derived.append(part)
            continue
        # Text after other text is no absolute path.
        removed = frozenset() if alone else frozenset({WHOLE} if place == 0 else {WHOLE, LEADING, "absolute"})
        step = f"{TEXT_STEP}{letters[max(0, at - _BEFORE) : at]}{HERE}{letters[at + 1 : at + 1 + _AFTER]}"
        at += 1
        derived.append(frozenset((taint if alone else taint.step(step)).without(removed) for taint in part))
    taints = limited(frozenset().union(*(part for part in derived if not isinstance(part, str))))
    flags = frozenset().union(*(piece.flags & {"line"} for piece in pieces))
    if alone and len(pieces) == 1:
        flags |= pieces[0].flags - {"markup", "number"}
    known = _alternatives(pieces)
    return Value(taints=taints, constants=known, exact=bool(known), parts=tuple(derived), flags=flags)


def _letters(parts: Sequence[Part]) -> str:
    """The known letters, and one U+0000 for each unknown piece."""
    return "".join(part if isinstance(part, str) else "\0" for part in parts)


def _alternatives(pieces: Sequence[Value]) -> tuple[str, ...]:
    """Return the texts that pieces of several known texts each form; empty if a piece is unknown or they are many."""
    choices: list[tuple[str, ...]] = []
    for piece in pieces:
        known = [part for part in piece.text() if isinstance(part, str)]
        if not piece.strings and len(known) < len(piece.text()):
            return ()
        choices.append(piece.strings or ("".join(known),))
    if math.prod(map(len, choices)) > MAX_CONSTANTS:
        return ()
    return tuple(dict.fromkeys("".join(each) for each in itertools.product(*choices)))


def concatenated(first: Value, second: Value) -> Value:
    """Return ``first + second`` of texts; markup escapes what is added to it."""
    kept = (first.flags | second.flags) & {"markup", "bytes"}
    pieces = [escaped_for_markup(each) if "markup" in kept else each for each in (first, second)]
    made = compose(pieces)
    return made.with_(flags=made.flags | kept)


def escaped_for_markup(value: Value) -> Value:
    """Return what markup makes of text that is added to it."""
    return value if "markup" in value.flags else value.without({"xss"})


def converted(value: Value, conversion: str, specification: str) -> Value:
    """Return a value as a placeholder shows it: ``!r`` and bytes escape line breaks, ``:d`` accepts numbers only."""
    if specification and specification[-1] in NUMERIC:
        return Value()
    if conversion in {"r", "a"} or "bytes" in value.flags or value.held("dict", "list", "tuple", "set"):
        return Value(taints=value.without({"log"}).all_taints())
    return value


def percent_format(template: Value, operand: Value) -> Value | None:
    """Return ``template % operand``; None if too little is known of the template."""
    markup = "markup" in template.flags
    containers = operand.held("tuple", "dict")

    def pick(key: str | None, index: int) -> Value:
        place: object = key if key is not None else index
        kind = "dict" if key is not None else "tuple"
        found = operand
        if any(held.kind == kind for held in containers):
            values = [held.fields.get((place,), held.element or Value()) for held in containers if held.kind == kind]
            found = join_all(values)
        return escaped_for_markup(found) if markup else found

    return _expanded(template, _PERCENT, _percent_piece, pick)


def _percent_piece(match: re.Match[str], index: int, pick: _Pick) -> tuple[Value, int]:
    kind = match[2]
    if kind == "%":
        return constant("%"), index
    value = pick(match[1], index)
    if kind in "ra":
        value = converted(value, "r", "")
    elif kind == "s":
        value = converted(value, "", "")
    else:
        value = Value()
    return value, index + 1


def brace_format(template: Value, positional: Sequence[Value], named: Mapping[str, Value], rest: Value) -> Value | None:
    """Return ``template.format(...)``; None if too little is known of the template.

    Args:
        template: The text with placeholders.
        positional: The positional arguments.
        named: The keyword arguments.
        rest: The value of placeholders that match none of these.
    """
    markup = "markup" in template.flags

    def pick(key: str | None, index: int) -> Value:
        first = re.split(r"[.\[]", key or "", maxsplit=1)[0]
        place = int(first) if first.isdecimal() else index if not first else None
        if place is not None:
            found = positional[place] if place < len(positional) else rest
        else:
            found = named.get(first, rest)
        if first != (key or ""):
            found = Value(taints=found.all_taints())
        return escaped_for_markup(found) if markup else found

    return _expanded(template, _BRACES, _brace_piece, pick)


def _brace_piece(match: re.Match[str], index: int, pick: _Pick) -> tuple[Value, int]:
    if match[0] in {"{{", "}}"}:
        return constant(match[0][0]), index
    value = converted(pick(match[1], index), match[2] or "", match[3] or "")
    return value, index + (match[1] == "")


def _expanded(
    template: Value,
    pattern: re.Pattern[str],
    piece: Callable[[re.Match[str], int, _Pick], tuple[Value, int]],
    pick: _Pick,
) -> Value | None:
    if not any(isinstance(part, str) for part in template.text()):
        return None
    pieces: list[Value] = []
    index = 0
    for part in template.text():
        if not isinstance(part, str):
            pieces.append(Value(taints=part))
            continue
        end = 0
        for match in pattern.finditer(part):
            pieces.append(constant(part[end : match.start()]))
            value, index = piece(match, index, pick)
            pieces.append(value)
            end = match.end()
        pieces.append(constant(part[end:]))
    made = compose(pieces)
    return made.with_(flags=made.flags | (template.flags & {"markup", "line"}))


def joined_text(separator: Value, items: Value) -> Value:
    """Return ``separator.join(items)``."""
    held = items.holds
    if len(held) == 1 and held[0].kind in {"list", "tuple"} and held[0].element is None:
        pieces: list[Value] = []
        for value in held[0].fields.values():
            pieces += [separator, value] if pieces else [value]
        made = compose(pieces)
    else:
        element = join_all(each for one in held for each in one.items()) if held else Value(taints=items.all_taints())
        if not element.all_taints():
            return Value()
        letters = separator.letters()
        if not held:
            # Text joined from the characters of another text, or from unknown items.
            element = element.with_(flags=items.flags)
        made = element if not letters.strip("\0") else compose([element, separator, element])
        made = Value(taints=made.all_taints(), parts=made.parts, flags=items.flags & {"lines", "words"})
    if {"lines", "words"} & items.flags and "\n" not in separator.letters():
        made = made.without({"log"})
    if "markup" in separator.flags:
        return escaped_for_markup(made).with_(flags=frozenset({"markup"}))
    return made


def characters(value: Value) -> Value:
    """Return any one character of a text."""
    return value.step(EACH)
