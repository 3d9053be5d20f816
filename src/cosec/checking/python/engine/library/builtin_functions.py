"""Built-in functions for containers, callables and names: ``map``, ``zip``, ``dict``, ``getattr``, ``locals``."""

from __future__ import annotations

from collections.abc import Callable

from cosec.checking.python.engine.assignment import store_attribute
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.state import EXCEPTION
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Value, constant, holding, join, join_all
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


def _next(site: CallSite) -> Value:
    default = site.positional[1:]
    found = join_all([attributes.element_of(_first(site)), *default])
    if any(not each.exact or any(each.constants) for each in default):
        return found
    # A true result is an item, and the items passed the tests.
    return found.with_(when_true=found.when_true | _first(site).when_true)


def _getattr(site: CallSite) -> Value:
    name = site.positional[1].constant if len(site.positional) > 1 else None
    if not isinstance(name, str):
        return _first(site).step("getattr")
    return join_all([attributes.attribute(site.analysis, _first(site), name, site.node), *site.positional[2:]])


def _setattr(site: CallSite) -> Value:
    if len(site.positional) != 3:
        return UNKNOWN
    owner, name, value = site.positional
    if isinstance(name.constant, str):
        store_attribute(site.analysis, site.node.args[0], owner, name.constant, value)
        return UNKNOWN
    for held in owner.holds:
        held.add(value)
        for each in [each for each in held.fields if isinstance(each, str) and each in (name.strings or held.fields)]:
            held.fields[each] = join(held.fields[each], value)
    return UNKNOWN


def _push(site: CallSite) -> Value:
    """Run ``heapq.heappush`` and others that put an item somewhere into a list."""
    for held in _first(site).holds:
        held.forget_places()
        for value in site.positional[1:2]:
            held.add(value)
    return UNKNOWN


def _any_item(site: CallSite) -> Value:
    return join_all(each for held in _first(site).holds for each in held.items())


def _handled(site: CallSite) -> Value:
    """Return ``traceback.format_exc()``, which shows the exception."""
    return Value(taints=site.analysis.look_up(EXCEPTION).all_taints())


def _code(site: CallSite) -> Value | None:
    """Return ``ord("…")``; None for a character that is not known."""
    only = _first(site).constant
    return constant(ord(only)) if isinstance(only, str) and len(only) == 1 else None


BUILTINS: dict[str, Callable[[CallSite], Value | None]] = {
    **dict.fromkeys(("locals", "vars"), _names),
    **dict.fromkeys(("__import__", "importlib.import_module"), _module),
    "map": _map,
    "filter": _filter,
    "enumerate": _enumerate,
    "zip": _zip,
    **dict.fromkeys(("next", "anext", "max", "min", "random.choice", "secrets.choice"), _next),
    "ord": _code,
    "getattr": _getattr,
    "setattr": _setattr,
    **dict.fromkeys(("traceback.format_exc", "sys.exc_info", "sys.exception"), _handled),
    **dict.fromkeys(("heapq.heappush", "bisect.insort", "bisect.insort_left", "bisect.insort_right"), _push),
    "random.shuffle": _push,
    "heapq.heappop": _any_item,
}
"""Name -> model of its result."""
