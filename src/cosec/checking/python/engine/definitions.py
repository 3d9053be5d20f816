"""Functions and classes of the file: their definitions and their calls."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence

from cosec.checking.python.engine import imports
from cosec.checking.python.engine.assignment import bind
from cosec.checking.python.engine.domain.program import Class, Function, FunctionNode
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.state import Frame, State, join_states
from cosec.checking.python.engine.domain.values import (
    UNKNOWN,
    Facts,
    Held,
    Value,
    constant,
    facts_for,
    holding,
    join,
    join_all,
)
from cosec.checking.python.engine.library import sources
from cosec.checking.python.knowledge.dangers import DANGERS

MAX_CALLS = 14
"""How many calls may be in progress at once."""

MAX_SAME = 2
"""How many of them may be of one function."""


def function_value(analysis: Analysis, node: FunctionNode, owner: Class | None = None) -> Value:
    """Return the value of a ``def`` or ``lambda``."""
    frame = analysis.frame
    scopes = frame.scopes if frame.function is None or owner is not None else (frame.state.names, *frame.scopes)
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    defaults = {
        parameter.arg: analysis.evaluate(default)
        for parameter, default in [
            *zip(with_default, arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        if default is not None
    }
    for parameter, default in zip(with_default, arguments.defaults, strict=True):
        analysis.observer.on_assignment(analysis, default, parameter.arg, defaults[parameter.arg])
    return Value(targets=(Function(node, scopes, defaults, frame.module, owner),))


def define_function(analysis: Analysis, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Run a ``def`` statement."""
    for decorator in node.decorator_list:
        analysis.evaluate(decorator)
    value = function_value(analysis, node)
    (function,) = value.targets
    assert isinstance(function, Function)
    analysis.frame.nested.append(function)
    bind(analysis, node.name, value)


def define_class(analysis: Analysis, node: ast.ClassDef) -> None:
    """Run a ``class`` statement."""
    made = Class(node, tuple(imports.with_targets(analysis, analysis.evaluate(base)) for base in node.bases))
    outer = analysis.frame
    scopes = outer.scopes if outer.function is None else (outer.state.names, *outer.scopes)
    frame = Frame(None, State(facts=outer.state.facts), outer.module, scopes)
    analysis.frames.append(frame)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            made.members[statement.name] = function_value(analysis, statement, made)
            frame.state.names[statement.name] = made.members[statement.name]
        else:
            analysis.run_statements([statement])
    analysis.frames.pop()
    made.members = {**frame.state.names, **made.members}
    if not outer.module.imported:
        analysis.classes.append(made)
    bind(analysis, node.name, Value(targets=(made,)))


def call_function(
    analysis: Analysis, function: Function, positional: Sequence[Value], named: Mapping[str, Value], rest: Value
) -> Value:
    """Call a function of the file with these arguments; ``rest`` is what starred arguments may hold."""
    same = sum(frame.function is not None and frame.function.node is function.node for frame in analysis.frames)
    arguments = [*positional, *named.values()]
    counted = any(isinstance(each.constant, int) for each in arguments)
    if same >= MAX_SAME and not counted:
        # Its result is one of those of the calls in progress. A counter may decide that those return nothing yet.
        return UNKNOWN
    if same >= MAX_SAME or len(analysis.frames) > MAX_CALLS:
        return Value(taints=join_all(each.step("call") for each in arguments).taints)
    names = bound_arguments(function, positional, named, rest)
    return run_function(analysis, function, names)


def bound_arguments(
    function: Function, positional: Sequence[Value], named: Mapping[str, Value], rest: Value
) -> dict[str, Value]:
    """Bind arguments to parameters."""
    parameters = [each.arg for each in function.parameters]
    defaults = function.defaults
    names = {
        name: join(defaults[name], rest) if name in defaults and rest.taints else defaults.get(name, rest)
        for name in parameters
    }
    for parameter, value in zip(function.positional, positional, strict=False):
        names[parameter.arg] = value
    more = Held("tuple")
    for place, value in enumerate(positional[len(function.positional) :]):
        more.fields[(place,)] = value
    if rest is not UNKNOWN:
        more.add(rest)
    options = Held("dict")
    if rest is not UNKNOWN:
        options.add(rest)
    for name, value in named.items():
        if name in parameters:
            names[name] = value
        else:
            options.fields[(name,)] = value
    if function.node.args.vararg is not None:
        names[function.node.args.vararg.arg] = holding(more)
    if function.node.args.kwarg is not None:
        names[function.node.args.kwarg.arg] = holding(options)
    return names


def arguments_of_wrapper(
    wrapper: Function, function: Function, names: Mapping[str, Value]
) -> tuple[list[Value], dict[str, Value]]:
    """Return the arguments of the function that a decorator put in place of ``function``, which would get ``names``.

    They are given by name, as frameworks do, so that they keep their places if the wrapper adds others before them.
    """
    parameters = [each.arg for each in function.parameters]
    if wrapper.node.args.vararg is not None and wrapper.node.args.kwarg is None:
        return [names[each] for each in parameters], {}
    named = {name: names[name] for name in parameters}
    for own, given in zip((each.arg for each in wrapper.positional), parameters, strict=False):
        if own not in named and given in named:
            named[own] = named.pop(given)
    return [], named


def run_function(analysis: Analysis, function: Function, names: dict[str, Value]) -> Value:
    """Run a function's body; facts from its checks hold for the caller afterwards."""
    caller = analysis.frame
    analysis.entered_nodes.add(function.node)
    state = State(names, caller.state.facts)
    kind = analysis.entry_kinds.get(function.node)
    frame = Frame(function, state, function.module, function.scopes, handler=kind or "", entry=kind is not None)
    analysis.frames.append(frame)
    try:
        analysis.run_statements(function.body)
        if not frame.state.dead:
            frame.returned.append((constant(None), frame.state.copy()))
        analysis.run_nested(frame)
    finally:
        analysis.frames.pop()
    if function.is_generator:
        return holding(Held("generator", element=join_all(frame.yielded)))
    if not frame.returned:
        if function.name != "<lambda>":
            caller.state.dead = True
        return UNKNOWN
    after = join_states([state for _, state in frame.returned])
    value = join_all(each.baked(state.facts) for each, state in frame.returned)
    value = value.with_(when_true=_shown(frame, truth=True), when_false=_shown(frame, truth=False))
    caller.state.facts = after.facts
    return value


def _shown(frame: Frame, *, truth: bool) -> Facts:
    """Return the facts after the function returned something true, or false."""
    found: list[Facts] = []
    for value, state in frame.returned:
        if value.exact and value.constants and all(bool(each) is not truth for each in value.constants):
            continue
        found.append(state.facts | (value.when_true if truth else value.when_false))
    return frozenset.intersection(*found) if found else frozenset()


def _fill_fields(
    analysis: Analysis, held: Held, names: Collection[str], positional: Sequence[Value], named: Mapping[str, Value]
) -> None:
    """Store the arguments of a class without its own ``__init__`` in its fields, and make those with a factory."""
    held.fields.update(zip(names, positional, strict=False))
    held.fields.update(named)
    for name in [each for each in names if each not in held.fields]:
        default = held.owner.field_default(name) if isinstance(held.owner, Class) else None
        if (factory := _default_factory(default)) is not None:
            held.fields[name] = analysis.apply(analysis.evaluate(factory), [], None)


def _default_factory(default: ast.expr | None) -> ast.expr | None:
    """Return ``list`` of ``field(default_factory=list)``; None for other defaults."""
    keywords = default.keywords if isinstance(default, ast.Call) else []
    return next((each.value for each in keywords if each.arg == "default_factory"), None)


def instantiate(
    analysis: Analysis, owner: Class, positional: Sequence[Value], named: Mapping[str, Value], rest: Value
) -> Value:
    """Call a class of the file."""
    bases = owner.base_names()
    arguments = [*positional, *named.values(), rest]
    if bases & {"Enum", "IntEnum", "StrEnum", "Flag"}:
        # An enumeration accepts its members only.
        analysis.frame.state.facts |= facts_for(join_all(each for each in arguments).all_taints(), DANGERS)
        return UNKNOWN
    names = frozenset(f"{name}()" for base in owner.bases for name in base.names)
    held = Held("instance", owner=owner, depth=analysis.depth)
    made = Value(holds=(held,), names=names)
    initialiser = owner.member("__init__")
    if initialiser is not None and initialiser.targets:
        for target in initialiser.targets:
            if isinstance(target, Function):
                call_function(analysis, target, [made, *positional], named, rest)
        return made
    fields = owner.annotated_fields()
    _fill_fields(analysis, held, fields, positional, named)
    for name, annotation in fields.items():
        if sources.is_harmless_type(analysis, annotation) and bases & {"BaseModel"}:
            held.fields[name] = UNKNOWN
    if not fields and not bases & {"BaseModel"}:
        held.element = Value(taints=join_all(each.step("held") for each in arguments).taints) if names else None
    return made
