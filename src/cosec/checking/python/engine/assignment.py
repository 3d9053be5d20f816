"""Storing values: names, attributes, items, unpacking."""

from __future__ import annotations

import ast

from cosec.checking.python.engine.domain.program import text_of
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Value, holding, join
from cosec.checking.python.engine.library.attributes import element_of, item_of
from cosec.checking.python.engine.library.lists import extend


def bind(analysis: Analysis, name: str, value: Value) -> None:
    """Bind ``name`` in its scope."""
    frame = analysis.frame
    if name in frame.globals and frame.function is not None:
        before = analysis.module_names.get(name)
        analysis.globals_changed = True
        # Other functions may run before this one.
        analysis.module_names[name] = value if before is None or before.constant is None else join(before, value)
        frame.state.names.pop(name, None)
        return
    if name in frame.nonlocals:
        for scope in frame.scopes:
            if name in scope:
                scope[name] = join(scope[name], value)
                return
    frame.state.names[name] = value


def assign(analysis: Analysis, target: ast.expr, value: Value) -> None:
    """Store ``value`` at a target of an assignment, a loop or a ``with``."""
    if isinstance(target, ast.Name):
        analysis.observer.on_assignment(analysis, target, target.id, value)
        bind(analysis, target.id, value)
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(analysis, target.elts, value)
    elif isinstance(target, ast.Starred):
        assign(analysis, target.value, value)
    elif isinstance(target, ast.Attribute):
        analysis.observer.on_assignment(analysis, target, target.attr, value)
        store_attribute(analysis, target.value, analysis.evaluate(target.value), target.attr, value)
    elif isinstance(target, ast.Subscript):
        container = analysis.evaluate(target.value)
        key = analysis.evaluate(target.slice)
        if isinstance(key.constant, str):
            analysis.observer.on_assignment(analysis, target, key.constant, value)
        if isinstance(target.slice, ast.Slice):
            _store_slice(analysis, container, value)
            return
        _store(analysis, target, container, (key.constant,) if key.exact and len(key.constants) == 1 else None, value)


def _store(
    analysis: Analysis, target: ast.Attribute | ast.Subscript, container: Value, key: object, value: Value
) -> None:
    stored = value.baked(analysis.frame.state.facts)
    if stored.all_taints():
        note_change(analysis, target)
    for held in container.holds:
        if key is None:
            held.add(stored)
        else:
            held.store(key, stored, analysis.depth)
    if not container.holds and not container.targets:
        text = text_of(target)
        analysis.stored_texts.add(text)
        analysis.frame.state.names[text] = stored
        if stored.taints:
            _share(analysis, target.value, container, key, stored)


def store_attribute(analysis: Analysis, node: ast.expr, container: Value, name: str, value: Value) -> None:
    """Store ``value`` as attribute ``name`` of ``container``, the value of ``node``."""
    target = ast.copy_location(ast.Attribute(value=node, attr=name, ctx=ast.Store()), node)
    _store(analysis, target, container, name, value)


def _store_slice(analysis: Analysis, container: Value, value: Value) -> None:
    """Run ``container[start:end] = value``."""
    for held in container.holds:
        held.forget_places()
        for each in [item for one in value.holds for item in one.items()] or [value]:
            if each is not UNKNOWN:
                held.add(each.baked(analysis.frame.state.facts))


def note_change(analysis: Analysis, node: ast.expr) -> None:
    """Note that the function that runs changed an object that other functions see."""
    if analysis.frame.function is not None and not _is_local(analysis, node):
        analysis.globals_changed = True


def _is_local(analysis: Analysis, node: ast.expr) -> bool:
    """Tell whether an expression starts with a name of the running function."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return not isinstance(node, ast.Name) or node.id in analysis.frame.state.names


def _share(analysis: Analysis, node: ast.expr, container: Value, key: object, value: Value) -> None:
    """Keep what is stored on an object from outside the file that other functions see too."""
    local = _is_local(analysis, node)
    for name in container.names:
        if local and "(" in name:
            continue
        place = f"{name}[{key[0]!r}]" if isinstance(key, tuple) else f"{name}[?]" if key is None else f"{name}.{key}"
        before = analysis.shared.get(place)
        if before is None or before != value:
            analysis.shared[place] = value if before is None else join(before, value)


def _unpack(analysis: Analysis, targets: list[ast.expr], value: Value) -> None:
    starred = next((place for place, each in enumerate(targets) if isinstance(each, ast.Starred)), len(targets))
    for place, target in enumerate(targets):
        if place == starred:
            assign(analysis, target, _starred(analysis, value, place, place + 1 - len(targets)))
        elif place < starred:
            assign(analysis, target, item_of(value, place))
        else:
            assign(analysis, target, item_of(value, place - len(targets)))


def _starred(analysis: Analysis, value: Value, start: int, end: int) -> Value:
    """Return what ``*name`` takes of ``value``: the items from ``start`` to ``end``, which counts from the last."""
    if not value.holds:
        return Value(taints=value.all_taints())
    made = Held("list", depth=analysis.depth)
    if len(value.holds) == 1 and value.holds[0].kind in {"list", "tuple"} and value.holds[0].element is None:
        items = value.holds[0].items()
        made.fields = {(place,): each for place, each in enumerate(items[start : len(items) + end])}
    else:
        made.element = element_of(value)
    return holding(made)


def assign_augmented(analysis: Analysis, node: ast.AugAssign) -> None:
    """Run an augmented assignment, such as ``target += value``."""
    load = ast.copy_location(_as_load(node.target), node.target)
    before = analysis.evaluate(load)
    added = analysis.evaluate(node.value)
    if before.holds and isinstance(node.op, ast.Add | ast.BitOr):
        if added.all_taints():
            note_change(analysis, node.target)
        for held in before.holds:
            extend(held, added.baked(analysis.frame.state.facts), analysis.depth)
        return
    assign(analysis, node.target, analysis.binary(node.op, before, added))


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load())
