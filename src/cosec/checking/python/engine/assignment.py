"""Storing values: names, attributes, items, unpacking."""

from __future__ import annotations

import ast

from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.values import UNKNOWN, Value, join
from cosec.checking.python.engine.library.attributes import item_of


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
        _store(analysis, target, analysis.evaluate(target.value), target.attr, value)
    elif isinstance(target, ast.Subscript):
        container = analysis.evaluate(target.value)
        key = analysis.evaluate(target.slice)
        if isinstance(key.constant, str):
            analysis.observer.on_assignment(analysis, target, key.constant, value)
        _store(analysis, target, container, (key.constant,) if key.exact and len(key.constants) == 1 else None, value)


def _store(
    analysis: Analysis, target: ast.Attribute | ast.Subscript, container: Value, key: object, value: Value
) -> None:
    stored = value.baked(analysis.frame.state.facts)
    for held in container.holds:
        if key is None:
            held.add(stored)
        else:
            held.store(key, stored, analysis.depth)
    if not container.holds and not container.targets:
        text = ast.unparse(target)
        analysis.stored_texts.add(text)
        analysis.frame.state.names[text] = stored


def _unpack(analysis: Analysis, targets: list[ast.expr], value: Value) -> None:
    starred = next((place for place, each in enumerate(targets) if isinstance(each, ast.Starred)), len(targets))
    for place, target in enumerate(targets):
        if place == starred:
            assign(analysis, target, Value(taints=value.all_taints()))
        elif place < starred:
            assign(analysis, target, item_of(value, place))
        else:
            assign(analysis, target, item_of(value, place - len(targets)))


def assign_augmented(analysis: Analysis, node: ast.AugAssign) -> None:
    """Run an augmented assignment, such as ``target += value``."""
    load = ast.copy_location(_as_load(node.target), node.target)
    before = analysis.evaluate(load)
    added = analysis.evaluate(node.value)
    if before.holds and isinstance(node.op, ast.Add | ast.BitOr):
        for held in before.holds:
            for item in [each for one in added.holds for each in one.items()] or [added]:
                if item is not UNKNOWN:
                    held.add(item.baked(analysis.frame.state.facts))
            if held.kind == "dict":
                for one in added.held("dict"):
                    for key, item in one.fields.items():
                        held.store(key, item, analysis.depth)
        return
    assign(analysis, node.target, analysis.binary(node.op, before, added))


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load())
