"""Calls: the functions that a call may reach, and their results."""

from __future__ import annotations

import ast
import sys

from cosec.checking.python.engine import definitions, imports, parameters
from cosec.checking.python.engine.domain.program import Bound, Class, Function, text_of
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Target, Value, join, join_all
from cosec.checking.python.engine.library import attributes, conditions, results, sources
from cosec.checking.python.knowledge.calls import CALLS_ARGUMENT, MESSAGE_MODULES, NEVER_RETURN, QUOTED_IN_ERRORS
from cosec.checking.python.knowledge.cleaning import EXTERNAL_TEST, KNOWN_GUARDS
from cosec.checking.python.knowledge.frameworks import REGISTERS


def call(analysis: Analysis, node: ast.Call) -> Value:
    """Return the value of a call."""
    receiver, is_method = UNKNOWN, False
    if isinstance(node.func, ast.Attribute):
        inherited = _inherited(analysis, node.func)
        receiver = analysis.evaluate(node.func.value)
        if inherited is not None:
            callee = inherited
        else:
            callee = attributes.attribute(analysis, receiver, node.func.attr, node.func)
            stored = analysis.frame.state.names.get(text_of(node.func)) if analysis.stored_texts else None
            callee = stored or callee
        is_method = not _is_module(analysis, node.func.value)
        method = node.func.attr
    else:
        callee = analysis.evaluate(node.func)
        method = next(iter(sorted(callee.names)), "").rsplit(".", 1)[-1]
    positional, named, rest = _arguments(analysis, node)
    if isinstance(node.func, ast.Constant):
        return UNKNOWN  # A literal cannot be called: the program fails here.
    site = CallSite(
        analysis=analysis,
        node=node,
        names=callee.names or frozenset({f"?.{method}"} if method else ()),
        method=method,
        receiver=receiver,
        is_method=is_method,
        positional=positional,
        named=named,
        rest=rest,
    )
    return dispatch(site, callee)


def dispatch(site: CallSite, callee: Value) -> Value:
    """Call everything that ``callee`` may be."""
    targets = (*callee.targets, *_of_objects(callee))
    found = [_call_target(site, target) for target in targets]
    if not targets or callee.names:
        found.append(_call_outside(site))
    return join_all(found) if len(found) > 1 else found[0]


def _of_objects(callee: Value) -> list[Target]:
    """Return the methods ``__call__`` of the objects of the file's classes that are called."""
    found: list[Target] = []
    for held in callee.held("instance"):
        member = held.owner.member("__call__") if isinstance(held.owner, Class) else None
        if member is not None:
            found.append(Bound(member, (callee.with_(holds=(held,)),)))
    return found


def _call_target(site: CallSite, target: Target) -> Value:
    analysis = site.analysis
    if not analysis.outgoing and _is_elsewhere(target):
        if isinstance(target, Function) and target.owner is not None and parameters.handler_kind(analysis, target):
            return _call_outside(site)  # It answers requests itself: what it does is reported in its own file.
        followed = imports.followed(site, lambda: _call_target(site, target))
        return _call_outside(site) if followed is None else followed
    if isinstance(target, Function):
        return definitions.call_function(analysis, target, site.positional, site.named, site.rest)
    if isinstance(target, Class):
        analysis.observer.on_call(site)
        return definitions.instantiate(analysis, target, site.positional, site.named, site.rest)
    assert isinstance(target, Bound)
    inner = CallSite(
        analysis=analysis,
        node=site.node,
        names=target.callee.names,
        method=next(iter(sorted(target.callee.names)), site.method).rsplit(".", 1)[-1],
        receiver=UNKNOWN,
        is_method=False,
        positional=[*target.positional, *site.positional],
        named={**target.named, **site.named},
        rest=site.rest,
    )
    return dispatch(inner, target.callee)


def _is_elsewhere(target: Target) -> bool:
    """Tell whether a call runs code of another file."""
    if isinstance(target, Function):
        return target.module.imported
    initialiser = target.member("__init__") if isinstance(target, Class) else None
    return initialiser is not None and any(_is_elsewhere(each) for each in initialiser.targets)


def _call_outside(site: CallSite) -> Value:
    site.analysis.observer.on_call(site)
    if site.names & NEVER_RETURN or site.method == "abort":
        site.analysis.frame.state.dead = True
        return UNKNOWN
    if site.method == "error" and any("ArgumentParser()" in name for name in site.names):
        site.analysis.frame.state.dead = True
        return UNKNOWN
    if site.called_last(QUOTED_IN_ERRORS):
        attributes.note_error(site.analysis, site.first)
    found = sources.call(site) or site.analysis.observer.result_of(site)
    if found is None and not site.called(*KNOWN_GUARDS) and (target := imports.target(site)) is not None:
        followed = imports.followed(site, lambda: dispatch(site, target))
        if followed is not None:
            return followed
    if found is None:
        found = results.result(site)
    true, false = conditions.of_call(site)
    _hand_on(site)
    if true or false:
        found = found.with_(when_true=found.when_true | true, when_false=found.when_false | false)
        if EXTERNAL_TEST.search(site.method) and not site.method.startswith("is"):
            site.analysis.frame.state.facts |= true
    return found


def _hand_on(site: CallSite) -> None:
    """Run functions of the file that are passed to a function outside, with the other arguments or with messages."""
    if site.within(*MESSAGE_MODULES):
        _answer_messages(site)
    if site.method in REGISTERS and site.is_method:
        functions = [each for value in [*site.positional, *site.named.values()] for each in value.targets]
        site.analysis.registered.update((each.node, site.node) for each in functions if isinstance(each, Function))
    if site.method not in CALLS_ARGUMENT:
        return
    for place, value in enumerate(site.positional):
        if value.targets:
            site.analysis.apply(value, site.positional[place + 1 :], site.node)
    target, arguments = site.named.get("target"), site.named.get("args")
    if target is not None and target.targets:
        given = [item for held in (arguments or UNKNOWN).holds for item in held.items()]
        site.analysis.apply(target, given, site.node)


def _answer_messages(site: CallSite) -> None:
    message = sources.incoming("remote", f"message of {site.method}()")
    for value in [*site.positional, *site.named.values()]:
        for target in value.targets:
            if isinstance(target, Function):
                given = [message.step(parameter.arg) for parameter in target.positional]
                site.analysis.call_function(target, given, {}, UNKNOWN)


def _arguments(analysis: Analysis, node: ast.Call) -> tuple[list[Value], dict[str, Value], Value]:
    positional: list[Value] = []
    named: dict[str, Value] = {}
    rest = UNKNOWN
    for each in node.args:
        value = analysis.evaluate(each)
        if not isinstance(each, ast.Starred):
            positional.append(value)
            continue
        known = [held for held in value.holds if held.element is None and held.kind in {"list", "tuple"}]
        if len(known) == 1 and len(value.holds) == 1:
            positional += known[0].items()
        else:
            rest = join(rest, attributes.element_of(value))
    for keyword in node.keywords:
        value = analysis.evaluate(keyword.value)
        if keyword.arg is not None:
            named[keyword.arg] = value
            continue
        for held in value.held("dict"):
            named.update({str(key[0]): item for key, item in held.fields.items() if isinstance(key, tuple)})
            if held.element is not None:
                rest = join(rest, held.element)
        if value.taints:
            rest = join(rest, value.step("**"))
    return positional, named, rest


def _is_module(analysis: Analysis, node: ast.expr) -> bool:
    """Tell whether an expression names a module, so that a call on it is not a method call."""
    while isinstance(node, ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name):
        return False
    if node.id not in analysis.program.import_aliases and node.id not in sys.stdlib_module_names:
        return False
    value = analysis.look_up(node.id)
    return bool(value.names) and not value.taints and not value.holds and not any("(" in each for each in value.names)


def _inherited(analysis: Analysis, node: ast.Attribute) -> Value | None:
    """Return the value of ``super().name``; None for other attributes."""
    if not (
        isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super"
    ):
        return None
    function = analysis.frame.function
    if function is None or function.owner is None or not function.positional:
        return None
    self_value = analysis.look_up(function.positional[0].arg)
    for base in function.owner.own_bases():
        member = base.member(node.attr)
        if member is not None:
            return Value(targets=(Bound(member, (self_value,)),))
    return None
