"""Access to parts of values: attributes, items, slices and elements; joined paths."""

from __future__ import annotations

import ast

from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.program import Bound, Class, Function
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.values import (
    EACH,
    LEADING,
    UNKNOWN,
    WHOLE,
    Held,
    Value,
    constant,
    facts_for,
    holding,
    join,
    join_all,
)
from cosec.checking.python.engine.library import sources
from cosec.checking.python.knowledge.dangers import DANGERS, PATH

_NUMBERS = frozenset(
    {
        "size",
        "st_size",
        "mtime",
        "port",
        "start",
        "stop",
        "year",
        "month",
        "day",
        "content_length",
        "id",
        "pk",
        "uuid",
        "rowcount",
        "lastrowid",
    }
)
_CONSTANTS = {"os.sep": "/", "os.path.sep": "/", "os.pardir": "..", "os.path.pardir": "..", "os.curdir": "."}
MAX_NAME = 160
"""Maximum length of dotted names."""

SHORT = 2
"""A text of so few characters cannot leave a folder after other text is added."""


def attribute(analysis: Analysis, value: Value, name: str, node: ast.expr) -> Value:
    """Return ``value.name``."""
    found: list[Value] = []
    for held in value.holds:
        got = _held_attribute(analysis, value, held, name)
        if got is not None:
            found.append(got)
    for target in value.targets:
        if isinstance(target, Class):
            found.append(_class_attribute(target, name))
    from_source = sources.attribute(analysis, value, name, node)
    if from_source is not None:
        found.append(from_source)
        return join_all(found)
    shared = [analysis.shared[f"{each}.{name}"] for each in value.names if f"{each}.{name}" in analysis.shared]
    found += shared
    if value.names and (not found or shared):
        names = frozenset(f"{each}.{name}" for each in value.names if len(each) < MAX_NAME)
        found.append(_tainted_attribute(value, name).with_(names=names))
    elif value.taints and (not found or not value.names):
        found.append(_tainted_attribute(value, name))
    made = join_all(found)
    known = sorted(made.names & _CONSTANTS.keys())
    return constant(_CONSTANTS[known[0]]).with_(names=made.names) if known else made


def _held_attribute(analysis: Analysis, value: Value, held: Held, name: str) -> Value | None:
    if name in held.fields:
        return held.fields[name]
    if not isinstance(held.owner, Class):
        return None
    member = held.owner.member(name)
    if member is None:
        return held.element
    for target in member.targets:
        if isinstance(target, Function):
            self_value = value.with_(holds=(held,))
            if target.decorated("staticmethod"):
                return member
            if target.decorated("property", "cached_property"):
                return analysis.call_function(target, [self_value], {}, UNKNOWN)
            return Value(targets=(Bound(Value(targets=(target,)), (self_value,)),))
    # An attribute of the class, which one of unknown name may hide.
    return member if held.element is None else join(member, held.element)


def shown(analysis: Analysis, value: Value, method: str = "__str__") -> Value:
    """Return ``str(value)``: objects of the file's classes show themselves by their own ``__str__``.

    As paths they show themselves by ``__fspath__``.
    """
    found = []
    for held in value.held("instance"):
        member = held.owner.member(method) if isinstance(held.owner, Class) else None
        for target in member.targets if member is not None else ():
            if isinstance(target, Function):
                found.append(analysis.call_function(target, [value.with_(holds=(held,))], {}, UNKNOWN))
    return join_all(found) if found else value


_NO_TEXT = frozenset({"markup", "bytes", "number"})
"""Flags that the text of a value does not have."""


def as_text(analysis: Analysis, value: Value, *, decodes: bool) -> Value:
    """Return ``str(value)``, which is no markup; ``decodes`` tells whether it is given the encoding of bytes."""
    value = shown(analysis, value)
    if isinstance(value.constant, int | float):
        return constant(str(value.constant))
    if "bytes" in value.flags and not decodes:
        value = texts.converted(value, "", "")
    return value.with_(targets=(), names=value.names & {"pathlib.Path()"}, flags=value.flags - _NO_TEXT)


def _class_attribute(owner: Class, name: str) -> Value:
    member = owner.member(name)
    if member is None:
        return Value(names=frozenset(f"{base}.{name}" for each in owner.bases for base in each.names))
    bound = [
        Bound(Value(targets=(target,)), (Value(targets=(owner,)),))
        for target in member.targets
        if isinstance(target, Function) and target.decorated("classmethod")
    ]
    return Value(targets=tuple(bound)) if bound else member


def _tainted_attribute(value: Value, name: str) -> Value:
    if not value.taints or name in _NUMBERS:
        return UNKNOWN
    if name == "name":
        # That of the standard input is "<stdin>".
        value = value.with_(taints=frozenset(each for each in value.taints if each.source.text != "sys.stdin"))
    made = value.step(f".{name}")
    if name in {"stem", "suffix"} or (name == "name" and _is_path(value)):
        return made.without(PATH)
    if name in {"file", "stream"} and "upload" in value.flags:
        return made.with_(flags=frozenset({"buffer"}))
    flags = value.flags & {"normalised", "path"}
    if name in {"parent", "parents"}:
        flags |= {name}
    return made.with_(flags=flags)


def _is_path(value: Value) -> bool:
    named = any(taint.source.kind == "parameter" and "path" in taint.source.text for taint in value.taints)
    return named or "path" in value.flags or "pathlib.Path()" in value.names


def item(analysis: Analysis, container: Value, key: Value) -> Value:
    """Return ``container[key]``."""
    known = key.exact and len(key.constants) == 1
    only = key.constants[0] if known else None
    if container.holds:
        _make_missing(analysis, container, key)
        note_error(analysis, key)
        if not known and key.taints and any(held.kind == "dict" and held.fields for held in container.holds):
            # The lookup succeeded, so it is one of the keys.
            analysis.frame.state.facts |= facts_for(key.taints, DANGERS)
        return (
            item_of(container, only) if known else join_all(each for held in container.holds for each in held.items())
        )
    if container.targets and not container.taints:
        analysis.frame.state.facts |= facts_for(key.taints, DANGERS)
        return UNKNOWN
    found = sources.item(container, only)
    if found is not None:
        return found
    if (shared := shared_item(analysis, container, only if known else None)) is not None:
        return shared
    if container.taints:
        return item_of(container, only if known else "?")
    text = container.constant
    if isinstance(text, str | bytes) and isinstance(only, int):
        return constant(text[only : only + 1 or None]) if isinstance(text, str) else UNKNOWN
    return Value(names=frozenset(f"{each}[]" for each in container.names if len(each) < MAX_NAME))


def note_error(analysis: Analysis, value: Value) -> None:
    """Note that an exception may quote ``value``, with its line breaks escaped."""
    if analysis.raised and value.all_taints():
        error = value.step("error").without(DANGERS - {"xss"})
        analysis.raised[-1].append(error.baked(analysis.frame.state.facts))


def _make_missing(analysis: Analysis, container: Value, key: Value) -> None:
    """Make the item that ``defaultdict`` makes for a missing key."""
    for held in container.holds:
        if held.factory is None:
            continue
        if key.exact and len(key.constants) == 1:
            place = (key.constants[0],)
            if place not in held.fields:
                new = analysis.apply(held.factory, [], None)
                held.fields[place] = new if held.element is None else join(held.element, new)
        elif held.element is None:
            held.element = analysis.apply(held.factory, [], None)


def shared_item(analysis: Analysis, container: Value, key: object) -> Value | None:
    """Return what the program stored at a key of an object that all its functions see; None if it stored nothing."""
    places = [f"{each}{place}" for each in container.names for place in (f"[{key!r}]", "[?]", f".{key}")]
    found = [analysis.shared[place] for place in places if place in analysis.shared]
    return join_all(found) if found else None


def item_of(value: Value, key: object) -> Value:
    """Return the item of a container at a known key or place."""
    found = []
    for held in value.holds:
        place = key
        if isinstance(key, int) and not isinstance(key, bool) and key < 0 and held.element is None:
            place = len([each for each in held.fields if isinstance(each, tuple)]) + key
        if (place,) in held.fields:
            found.append(held.fields[(place,)])
        elif held.element is not None or (isinstance(key, int) and key < 0):
            found += held.items()
    if value.taints:
        found.append(_tainted_item(value, key))
    if value.names and not value.taints:
        found.append(Value(names=frozenset(f"{each}[]" for each in value.names if len(each) < MAX_NAME)))
    return join_all(found)


def _tainted_item(value: Value, key: object) -> Value:
    if "plain items" in value.flags:
        return Value(taints=value.taints)
    if sources.is_set_by_server(value, key):
        return UNKNOWN
    made = value.step(f"[{key}]")
    if ("pieces" in value.flags and key == -1) or ("tail" in value.flags and key in {1, 2, -1}):
        made = made.without(PATH)
    if {"lines", "words"} & value.flags:
        made = made.without({"log"})
    return made.with_(flags=value.flags & {"parsed", "query", "path"})


def element_of(value: Value) -> Value:
    """Return any item of a container, any character of a text."""
    found = []
    for held in value.holds:
        if held.kind == "dict":
            keys = [key[0] for key in held.fields if isinstance(key, tuple)]
            texts = [constant(key) for key in keys if isinstance(key, str | int)]
            found.append(join_all(texts))
        else:
            found += held.items()
    if value.taints:
        made = value.step(EACH)
        if {"lines", "words"} & value.flags:
            made = made.without({"log"})
        found.append(made.with_(flags=value.flags & {"parsed"}))
    if value.strings and not value.holds:
        letters = sorted(set("".join(value.strings)))[:40]
        found.append(Value(constants=tuple(letters), exact=True))
    if value.names and not value.taints:
        found.append(Value(names=frozenset(f"{each}[]" for each in value.names if len(each) < MAX_NAME)))
        if (message := sources.element(value)) is not None:
            found.append(message)
    return join_all(found)


def sliced(value: Value, bounds: str, length: int | None = None) -> Value:
    """Return a part of a text or list of at most ``length`` items; a check of it is none of other ``bounds``."""
    if value.holds:
        made = Held("list")
        for held in value.holds:
            for each in held.items():
                made.add(each)
        return holding(made)
    if value.constants and not value.taints:
        return UNKNOWN
    if length is not None and 0 <= length <= SHORT:
        value = value.without(PATH)
    return value.with_(
        taints=value.step(f"[{bounds}]").taints, parts=(), constants=(), exact=False, flags=value.flags & {"bytes"}
    )


def joined_path(pieces: list[Value]) -> Value:
    """Return ``os.path.join(*pieces)`` or ``first / second``; a later piece may still be an absolute path."""
    constants = [each.constant for each in pieces]
    if pieces and all(isinstance(each, str) for each in constants):
        joined = constant("/".join(str(each).rstrip("/") for each in constants))
        return joined.with_(flags=frozenset({"path"}))
    shape = "join:" + "/".join(str(each) if isinstance(each, str) else "\0" for each in constants)
    if not any(each.all_taints() for each in pieces):
        known = any(each.parts or each.strings for each in pieces)
        text = texts.compose([each for piece in pieces for each in (constant("/"), piece)][1:]) if known else UNKNOWN
        return text.with_(flags=frozenset({"path"}), names=_path_names(pieces))
    made = UNKNOWN
    for place, piece in enumerate(pieces):
        taints = piece.all_taints()
        first = place == 0 or all(isinstance(each, str) and not each for each in constants[:place])
        removed = frozenset({WHOLE}) if first else frozenset({WHOLE, LEADING})
        stepped = frozenset(taint.step(shape).without(removed) for taint in taints)
        made = Value(taints=made.taints | stepped)
    letters = "/".join(each.letters() for each in pieces)
    parts = (letters.replace("\0", ""), made.taints)
    return Value(taints=made.taints, parts=parts, flags=frozenset({"path"}), names=_path_names(pieces))


def _path_names(pieces: list[Value]) -> frozenset[str]:
    return frozenset({"pathlib.Path()"}) if any("pathlib.Path()" in each.names for each in pieces) else frozenset()
