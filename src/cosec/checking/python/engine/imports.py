"""Functions and classes of other files of the project: found by name, and run as if they were the file's own.

A call is followed if text from outside goes there, or if the other file may read some.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable

from cosec.checking.python.engine.domain.program import Module, Program
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite, Outgoing
from cosec.checking.python.engine.domain.state import Frame, State
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.engine.library import attributes

MAX_MODULES = 12
"""Number of other files that are read for one file."""

_MAX_STEPS = 6
"""Number of times that a name may be imported on."""


class TooFarError(Exception):
    """Functions of other files take too many steps."""


def target(site: CallSite) -> Value | None:
    """Return the function or class of another file that is called; None if there is none, or if it cannot matter."""
    if site.analysis.imports is None or len(site.analysis.outgoing) > _MAX_STEPS:
        return None
    try:
        found = _found(site.analysis, site.names, lambda: any(each.untrusted() for each in _given(site)))
    except TooFarError:
        if site.analysis.outgoing:
            raise
        return None
    return Value(targets=found.targets) if found is not None and found.targets else None


def with_targets(analysis: Analysis, base: Value) -> Value:
    """Return a base class with its definition, if that is in another file that may read text from outside."""
    if analysis.imports is None or base.targets:
        return base
    try:
        found = _found(analysis, base.names, lambda: False)
    except TooFarError:
        if analysis.outgoing:
            raise
        return base
    return base if found is None else base.with_(targets=found.targets)


def followed(site: CallSite, run: Callable[[], Value]) -> Value | None:
    """Return ``run()``, a call of a function of another file; None if that takes too many steps."""
    analysis = site.analysis
    frames, depth, raised = len(analysis.frames), analysis.depth, len(analysis.raised)
    before = analysis.frame.state.copy()
    sources = frozenset(taint.source for value in _given(site) for taint in value.all_taints())
    analysis.outgoing.append(Outgoing(site.node, sources))
    try:
        return run()
    except TooFarError:
        if len(analysis.outgoing) > 1:
            raise
        del analysis.frames[frames:], analysis.raised[raised:]
        analysis.depth = depth
        analysis.frame.state.become(before)
        return None
    finally:
        analysis.outgoing.pop()


def _given(site: CallSite) -> list[Value]:
    return [*site.all_arguments(), site.receiver]


def _found(analysis: Analysis, names: frozenset[str], tainted: Callable[[], bool]) -> Value | None:
    """Return what one of the dotted names means in another file; None if that cannot matter or is not there.

    ``tainted`` tells whether text from outside goes there.
    """
    module = analysis.frame.module
    for name in sorted(each for each in names if _is_imported(module, each)):
        value = _resolved(analysis, name, analysis.frame.module, tainted)
        if value is not None:
            return value
    return None


def _is_imported(module: Module, name: str) -> bool:
    if "(" in name or "[" in name:
        return False
    if name.startswith("."):
        return True
    root, dot, _ = name.partition(".")
    starred = (each.split(".")[0] for each in module.starred)
    return bool(dot) and root not in sys.stdlib_module_names and (root in module.program.imported or root in starred)


def _resolved(analysis: Analysis, name: str, importer: Module, tainted: Callable[[], bool]) -> Value | None:
    """Return the value of a dotted name, through files that import it from others."""
    assert analysis.imports is not None
    for _ in range(_MAX_STEPS):
        path, rest = _file_of(analysis, name, importer)
        if path is None or not rest:
            return None
        if not analysis.imports.reads_input(path, rest[0]) and not tainted():
            return None
        module = _module(analysis, path)
        value = None if module is None else _value_in(analysis, module, rest)
        if module is None or value is None:
            return None
        if value.targets or not value.names:
            return value
        name, importer = min(value.names), module
        if not _is_imported(module, name):
            return None
    return None


def _file_of(analysis: Analysis, name: str, importer: Module) -> tuple[str | None, list[str]]:
    """Return the file of the longest part of a dotted name that is a module, and the names that follow."""
    assert analysis.imports is not None
    level = len(name) - len(name.lstrip("."))
    parts = name[level:].split(".")
    for end in range(len(parts) - 1, -1 if level else 0, -1):
        path = analysis.imports.find("." * level + ".".join(parts[:end]), importer.path)
        if path is not None and path != analysis.frames[0].module.path:
            return path, parts[end:]
    return None, []


def _value_in(analysis: Analysis, module: Module, names: list[str]) -> Value | None:
    value = module.names.get(names[0])
    for name in names[1:]:
        if value is None:
            return None
        value = attributes.attribute(analysis, value, name, ast.Name(name, ast.Load()))
    return value


def _module(analysis: Analysis, path: str) -> Module | None:
    """Return another file with the names of its own level, which are run once."""
    if path in analysis.modules:
        return analysis.modules[path]
    if len(analysis.modules) >= MAX_MODULES or analysis.imports is None:
        return None
    tree = analysis.imports.tree(path)
    if tree is None:
        return None
    state = State()
    module = Module(Program.of(tree), state.names, path=path, imported=True)
    analysis.modules[path] = module
    analysis.frames.append(Frame(None, state, module))
    analysis.outgoing.append(Outgoing(ast.Name("?", ast.Load()), frozenset()))
    try:
        analysis.run_statements(tree.body)
    finally:
        analysis.outgoing.pop()
        analysis.frames.pop()
    state.dead = False
    return module
