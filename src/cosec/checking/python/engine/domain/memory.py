"""What functions share with each other at one moment: names of modules, containers, objects, members of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cosec.checking.python.engine.domain.program import Bound, Class, Function
from cosec.checking.python.engine.domain.values import Held, Target, Value

Content = dict[int, tuple[object, ...]]
"""Identity of a namespace or container -> itself, so that it lives on, and a copy of what it holds."""


def content(namespaces: Iterable[Mapping[str, Value]], values: Iterable[Value]) -> Content:
    """Return the content of all namespaces, containers and classes that can be reached from some.

    Two contents are equal if nothing was stored in between, except for equal values.
    """
    found: Content = {}
    waiting: list[Value] = list(values)
    for names in namespaces:
        _note_names(names, found, waiting)
    while waiting:
        value = waiting.pop()
        for held in value.holds:
            if id(held) not in found:
                found[id(held)] = (held, dict(held.fields), held.element)
                waiting += _inside(held)
        for target in value.targets:
            if id(target) not in found:
                found[id(target)] = (target,)
                _note_target(target, found, waiting)
    return found


def _note_names(names: Mapping[str, Value], found: Content, waiting: list[Value]) -> None:
    if id(names) not in found:
        found[id(names)] = (names, dict(names))
        waiting += [value for value in names.values() if value.holds or value.targets]


def _note_target(target: Target, found: Content, waiting: list[Value]) -> None:
    if isinstance(target, Class):
        _note_names(target.members, found, waiting)
        waiting += target.bases
    elif isinstance(target, Function):
        _note_names(target.defaults, found, waiting)
        for scope in target.scopes:
            _note_names(scope, found, waiting)
    elif isinstance(target, Bound):
        waiting += [target.callee, *target.positional, *target.named.values()]


def _inside(held: Held) -> list[Value]:
    inner = [*held.fields.values(), *(each for each in (held.element, held.factory) if each is not None)]
    if isinstance(held.owner, Class):
        inner.append(Value(targets=(held.owner,)))
    return inner
