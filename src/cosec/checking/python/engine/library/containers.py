"""Containers: what makes one, and the results and effects of its methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from cosec.checking.python.engine.assignment import note_change
from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import (
    EACH,
    UNKNOWN,
    Held,
    Value,
    constant,
    holding,
    join,
    join_all,
    outside,
)
from cosec.checking.python.engine.library import attributes
from cosec.checking.python.engine.library.lists import extend, ordered, remove_at, set_items
from cosec.checking.python.knowledge.containers import (
    CELLS,
    CONFIGS,
    CONTAINERS,
    LISTS,
    MAPPINGS,
    NAMESPACES,
    QUEUES,
    SETS,
)


def made(site: CallSite) -> Value | None:
    """Return the new container that a call makes; None for other calls."""
    if not site.names & CONTAINERS:
        return None
    if site.names & QUEUES:
        return holding(Held("queue", depth=site.analysis.depth))
    if site.names & CELLS:
        return holding(Held("queue", element=site.argument(None, "default"), depth=site.analysis.depth))
    if site.names & CONFIGS:
        return holding(Held("config", depth=site.analysis.depth, factory=outside("dict")))
    if site.names & NAMESPACES:
        fields: dict[object, Value] = dict(site.named.items())
        return holding(Held("instance", fields, _or_none(site.rest), depth=site.analysis.depth))
    if site.names & MAPPINGS:
        return _mapping(site, site.positional, None)
    if "collections.defaultdict" in site.names:
        return _mapping(site, site.positional[1:], site.argument(0, "default_factory"))
    if site.names & (LISTS | SETS):
        return _sequence(site, "list" if site.names & LISTS else "set")
    return None


def _or_none(value: Value) -> Value | None:
    return None if value is UNKNOWN else value


def _mapping(site: CallSite, given: Sequence[Value], factory: Value | None) -> Value:
    found = Held("dict", depth=site.analysis.depth, factory=factory)
    for value in given:
        for held in value.holds:
            if held.kind == "dict":
                found.fields.update(held.fields)
                found.element = held.element
            else:
                for pair in held.items():
                    _add_pair(found, pair)
        if value.taints:
            return value
    found.fields.update({(name,): value for name, value in site.named.items()})
    if site.rest is not UNKNOWN:
        found.add(site.rest)
    return holding(found)


def _add_pair(found: Held, pair: Value) -> None:
    """Add a (key, value) pair of ``dict([(key, value)])``."""
    key, value = attributes.item_of(pair, 0), attributes.item_of(pair, 1)
    if key.exact and len(key.constants) == 1:
        found.fields[(key.constants[0],)] = value
    elif value != UNKNOWN:
        found.add(value)


def _sequence(site: CallSite, kind: str) -> Value | None:
    """Return a new list or set of the items of the first argument; None for text, which stays as it is."""
    if not site.positional:
        return holding(Held(kind, depth=site.analysis.depth))
    value = site.positional[0]
    if value.taints or (value.constants and not value.holds):
        return None
    if not value.holds:
        return holding(Held(kind, element=attributes.element_of(value), depth=site.analysis.depth))
    if kind == "list" and all(held.kind in {"list", "tuple"} for held in value.holds):
        return copied(value, site.analysis.depth)
    return holding(Held(kind, element=_or_none(attributes.element_of(value)), depth=site.analysis.depth))


def copied(value: Value, depth: int) -> Value:
    """Return a value with copies of its containers, so that a change of one is none of the other."""
    return value.with_(
        holds=tuple(
            held
            if held.kind == "instance"
            else Held(
                "list" if held.kind == "tuple" else held.kind,
                dict(held.fields),
                held.element,
                held.owner,
                depth,
                held.factory,
            )
            for held in value.holds
        )
    )


def container_method(site: CallSite) -> Value | None:
    """Return the result of a method of a list, set, dict, queue or tuple of the file; None for other calls."""
    holds = site.receiver.holds
    if not holds or all(held.kind in {"instance", "response", "engine", "template", "module"} for held in holds):
        return None
    if site.receiver.held("config") and site.method in _CONFIG_METHODS:
        return _CONFIG_METHODS[site.method](site)
    if site.receiver.held("queue") and site.method in {"get", "get_nowait", "set"}:
        return _add(site) if site.method == "set" else _all(site.receiver)
    found = _CONTAINER_METHODS.get(site.method)
    return None if found is None else found(site)


def _all(value: Value) -> Value:
    return join_all(each for held in value.holds for each in held.items())


def _changed(site: CallSite, value: Value) -> Value:
    """Return a new item as it is stored; later runs of other functions may see it."""
    if value.all_taints():
        note_change(site.analysis, site.node.func)
    return value.baked(site.analysis.frame.state.facts)


def _add(site: CallSite) -> Value:
    value = _changed(site, site.positional[-1]) if site.positional else UNKNOWN
    for held in site.receiver.holds:
        if site.method == "append" and ordered(held, site.analysis.depth):
            held.fields[(len(held.fields),)] = value
        else:
            held.add(value)
    return UNKNOWN


def _insert(site: CallSite) -> Value:
    """Run ``insert`` and ``appendleft``, after which other items have other places."""
    value = _changed(site, site.positional[-1]) if site.positional else UNKNOWN
    place = 0 if site.method == "appendleft" else site.first.constant
    for held in site.receiver.holds:
        if ordered(held, site.analysis.depth) and isinstance(place, int):
            items = held.items()
            items.insert(place, value)
            set_items(held, items)
        else:
            held.forget_places()
            held.add(value)
    return UNKNOWN


def _extend(site: CallSite) -> Value:
    for value in site.positional:
        stored = _changed(site, value)
        for held in site.receiver.holds:
            extend(held, stored, site.analysis.depth)
    for name, value in site.named.items():
        stored = _changed(site, value)
        for held in site.receiver.holds:
            held.store((name,), stored, site.analysis.depth)
    if site.rest is not UNKNOWN:
        for held in site.receiver.holds:
            held.add(site.rest)
    return UNKNOWN


def replaced_characters(table: Value) -> frozenset[str]:
    """Return the characters that a dictionary of characters replaces and that no replacement brings back."""
    keys: set[str] = set()
    for held in table.held("dict"):
        if held.element is not None:
            return frozenset()
        for key, value in held.fields.items():
            character = key[0] if isinstance(key, tuple) else None
            character = chr(character) if type(character) is int and 0 <= character <= sys.maxunicode else character
            if isinstance(character, str) and len(character) == 1 and not value.taints and value.constants:
                keys.add(character)
    replacements = (each.constants for held in table.held("dict") for each in held.items())
    return frozenset(keys).difference(*(each for texts_ in replacements for each in texts_ if isinstance(each, str)))


def _get(site: CallSite) -> Value:
    key = site.positional[0] if site.positional else UNKNOWN
    default = site.argument(1, "default")
    if default is not None and default == key and key.taints and all(each.lineage[-1] == EACH for each in key.taints):
        # A character that is not replaced is none of the keys.
        kinds = {f"lacks {each}" for each in replaced_characters(site.receiver)}
        default = default.without(kinds)
    known = key.exact and len(key.constants) == 1
    if known:
        found = attributes.item_of(site.receiver, key.constants[0])
        present = any((key.constants[0],) in held.fields for held in site.receiver.holds)
        if present or default is None:
            return found
    else:
        found = _all(site.receiver)
    return join(found, default if default is not None else constant(None)) if found != UNKNOWN else default or UNKNOWN


def _set_default(site: CallSite) -> Value:
    if len(site.positional) == 2:
        key, value = site.positional
        for held in site.receiver.holds:
            if key.exact and len(key.constants) == 1:
                held.store((key.constants[0],), value, site.analysis.depth + 1)
            else:
                held.add(value)
    return _get(site)


def _items(site: CallSite) -> Value:
    keys = attributes.element_of(site.receiver)
    values = _all(site.receiver)
    pairs = Held("generator")
    for held in site.receiver.holds:
        for key, value in held.fields.items():
            if isinstance(key, tuple) and isinstance(key[0], str | int | float):
                pairs.add(holding(Held("tuple", {(0,): constant(key[0]), (1,): value})))
    if pairs.element is None or any(held.element is not None for held in site.receiver.holds):
        pairs.add(holding(Held("tuple", {(0,): keys, (1,): values})))
    return holding(pairs)


def _keys(site: CallSite) -> Value:
    return holding(Held("list", element=attributes.element_of(site.receiver)))


def _values(site: CallSite) -> Value:
    found = Held("list")
    for held in site.receiver.holds:
        for each in held.items():
            found.add(each)
    return holding(found)


def _pop(site: CallSite) -> Value:
    if site.receiver.held("dict") and site.positional:
        return _get(site)
    place = site.first.constant if site.positional else 0 if site.method == "popleft" else -1
    found = [remove_at(held, place, site.analysis.depth) for held in site.receiver.holds]
    return join_all(found)


def _shuffle(site: CallSite) -> Value:
    """Run a method that moves items: ``sort``, ``reverse``, ``rotate``, ``remove``."""
    for held in site.receiver.holds:
        if site.method == "reverse" and ordered(held, site.analysis.depth):
            set_items(held, held.items()[::-1])
        else:
            held.forget_places()
    return UNKNOWN


def _clear(site: CallSite) -> Value:
    for held in site.receiver.holds:
        if site.analysis.depth <= held.depth:
            held.fields.clear()
            held.element = None
    return UNKNOWN


def _written(site: CallSite) -> Value:
    """Return all that was written into a buffer."""
    return texts.joined_text(constant(""), site.receiver)


def _copy(site: CallSite) -> Value:
    return copied(site.receiver, site.analysis.depth)


def _union(site: CallSite) -> Value:
    found = Held("set")
    for value in [site.receiver, *site.positional]:
        element = attributes.element_of(value)
        if element != UNKNOWN:
            found.add(element)
    return holding(found)


_CONTAINER_METHODS: dict[str, Callable[[CallSite], Value]] = {
    **dict.fromkeys(("append", "add", "put", "write", "put_nowait"), _add),
    **dict.fromkeys(("insert", "appendleft"), _insert),
    **dict.fromkeys(("extend", "update", "extendleft"), _extend),
    "get": _get,
    "setdefault": _set_default,
    "getvalue": _written,
    "items": _items,
    "keys": _keys,
    "values": _values,
    **dict.fromkeys(("pop", "popleft", "popitem"), _pop),
    **dict.fromkeys(("sort", "reverse", "rotate", "remove"), _shuffle),
    "clear": _clear,
    "copy": _copy,
    **dict.fromkeys(("union", "intersection", "difference", "symmetric_difference"), _union),
}


# configparser


def _section(site: CallSite, name: Value | None) -> Value:
    """Return a section of the settings, made at its first use."""
    return attributes.item(site.analysis, site.receiver, name or UNKNOWN)


def _set_option(site: CallSite) -> Value:
    option, value = site.argument(1, "option"), site.argument(2, "value")
    for held in _section(site, site.argument(0, "section")).holds:
        if option is not None and option.constant is not None:
            held.store((option.constant,), _changed(site, value or UNKNOWN), site.analysis.depth)
        else:
            held.add(_changed(site, value or UNKNOWN))
    return UNKNOWN


def _get_option(site: CallSite) -> Value:
    section = _section(site, site.argument(0, "section"))
    option, fallback = site.argument(1, "option"), site.argument(None, "fallback")
    found = attributes.item(site.analysis, section, option) if option is not None else section
    return found if fallback is None else join(found, fallback)


def _read_settings(site: CallSite) -> Value:
    """Run ``read_string``, ``read_file`` and ``read_dict``."""
    for held in site.receiver.holds:
        for one in site.first.holds:
            held.fields.update(one.fields)
        if site.first.taints:
            held.add(holding(Held("dict", element=site.first.step("settings"), depth=held.depth)))
    return UNKNOWN


_CONFIG_METHODS: dict[str, Callable[[CallSite], Value]] = {
    "set": _set_option,
    "get": _get_option,
    "items": lambda site: _items_of(site),
    **dict.fromkeys(("read_string", "read_dict", "read_file", "readfp"), _read_settings),
}


def _items_of(site: CallSite) -> Value:
    if not site.positional:
        return _items(site)
    section = _section(site, site.positional[0])
    pairs = [holding(Held("tuple", {(0,): UNKNOWN, (1,): _all(section)}))]
    return holding(Held("generator", element=join_all(pairs)))
