"""Built-in functions for containers, callables and names: ``map``, ``zip``, ``dict``, ``getattr``, ``locals``."""

from __future__ import annotations

from collections.abc import Callable

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Value, holding, join_all
from cosec.checking.python.engine.library import attributes


def _first(site: CallSite) -> Value:
    return site.positional[0] if site.positional else UNKNOWN


def _map(site: CallSite) -> Value:
    if len(site.positional) < 2:
        return UNKNOWN
    element = attributes.element_of(site.positional[1])
    return holding(Held("generator", element=site.analysis.apply(site.positional[0], [element], site.node)))


def _filter(site: CallSite) -> Value:
    if len(site.positional) < 2:
        return UNKNOWN
    element = attributes.element_of(site.positional[1])
    test = site.analysis.apply(site.positional[0], [element], site.node)
    return holding(Held("generator", element=element.baked(test.when_true)))


def _enumerate(site: CallSite) -> Value:
    element = attributes.element_of(_first(site))
    return holding(Held("generator", element=holding(Held("tuple", {(0,): UNKNOWN, (1,): element}))))


def _names(site: CallSite) -> Value:
    """Return ``locals()``."""
    fields: dict[object, Value] = {(name,): value for name, value in site.analysis.frame.state.names.items()}
    return holding(Held("dict", fields))


def _module(site: CallSite) -> Value:
    """Return ``importlib.import_module("name")``."""
    name = _first(site).constant
    return Value(names=frozenset({name})) if isinstance(name, str) else UNKNOWN


def _zip(site: CallSite) -> Value:
    fields: dict[object, Value] = {(place,): attributes.element_of(each) for place, each in enumerate(site.positional)}
    return holding(Held("generator", element=holding(Held("tuple", fields))))


def _dict(site: CallSite) -> Value:
    made = Held("dict", depth=site.analysis.depth)
    for value in site.positional:
        for held in value.held("dict"):
            made.fields.update(held.fields)
            made.element = held.element
        if value.taints:
            return value
    made.fields.update({(name,): value for name, value in site.named.items()})
    return holding(made)


def _next(site: CallSite) -> Value:
    found = attributes.element_of(_first(site))
    return join_all([found, *site.positional[1:]])


def _getattr(site: CallSite) -> Value:
    name = site.positional[1].constant if len(site.positional) > 1 else None
    if not isinstance(name, str):
        return _first(site).step("getattr")
    return join_all([attributes.attribute(site.analysis, _first(site), name, site.node), *site.positional[2:]])


BUILTINS: dict[str, Callable[[CallSite], Value | None]] = {
    **dict.fromkeys(("locals", "vars"), _names),
    **dict.fromkeys(("__import__", "importlib.import_module"), _module),
    "map": _map,
    "filter": _filter,
    "enumerate": _enumerate,
    "zip": _zip,
    "dict": _dict,
    **dict.fromkeys(("next", "anext", "max", "min", "random.choice", "secrets.choice"), _next),
    "getattr": _getattr,
}
"""Name -> model of its result."""
