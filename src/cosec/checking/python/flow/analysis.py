"""The analysis of one file: the frames that run, what was found, and the limits that keep it finite."""

from __future__ import annotations

import ast
import sys

from cosec.checking.python.flow import alphabets, attributes, calls, definitions, parameters, sources
from cosec.checking.python.flow.expressions import Evaluator
from cosec.checking.python.flow.interpreter import Interpreter
from cosec.checking.python.flow.program import Bound, Class, Function, called_names
from cosec.checking.python.flow.sinks import credentials, hosts, pages
from cosec.checking.python.flow.site import CallSite
from cosec.checking.python.flow.state import Frame, State
from cosec.checking.python.flow.values import (
    UNKNOWN,
    Held,
    Source,
    Taint,
    Value,
    join_all,
    outside,
)

MAX_STEPS = 100_000
"""Expressions and statements evaluated for one file; a typical completion needs a few thousand."""


class TooLargeError(Exception):
    """The file needs more steps than `MAX_STEPS`."""


class Analysis:
    """One run over one parsed file."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.frames = [Frame(None, State())]
        self.classes: list[Class] = []
        self.options: dict[str, Value] = {}
        self.starred: list[str] = []
        self.stored_texts: set[str] = set()
        self.pages = pages.Pages()
        self.depth = 0
        self.findings: dict[tuple[int, str], str] = {}
        self.imported = _imported(tree)
        self.import_aliases = _aliases(tree)
        self.called = called_names(tree)
        self.interpreter = Interpreter(self)
        self._evaluator = Evaluator(self)
        self._steps = 0
        self.entered_nodes: set[ast.AST] = set()
        """Functions that were run."""

        self.globals_changed = False
        """Whether a function stored a global name."""

        self._left: list[Function] = []

    @property
    def frame(self) -> Frame:
        """The function call that runs."""
        return self.frames[-1]

    @property
    def module_names(self) -> dict[str, Value]:
        """The names of the module's own level."""
        return self.frames[0].state.names

    def run(self) -> None:
        """Run the module, then every function that nobody in the file calls."""
        self.interpreter.run(self.tree.body)
        self.frame.state.dead = False
        functions = list(self.frame.nested)
        self.run_nested(self.frames[0])
        if self.globals_changed:
            # What one function stored, another may have read before.
            self.frame.nested = functions
            self.run_nested(self.frames[0])
        for owner in self.classes:
            self._run_methods(owner)
        self._run_the_rest()
        self.pages.finish(self)

    def count_step(self) -> None:
        """Note one more step of work.

        Raises:
            TooLargeError: If there were more than `MAX_STEPS`.
        """
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooLargeError

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression."""
        return self._evaluator.evaluate(node)

    def binary(self, kind: ast.operator, left: Value, right: Value, node: ast.expr) -> Value:
        """``left kind right``."""
        return self._evaluator.binary(kind, left, right, node)

    def call(self, node: ast.Call) -> Value:
        """The value of a call."""
        return calls.call(self, node)

    def look_up(self, name: str) -> Value:
        """The value of a name."""
        for names in (self.frame.state.names, *self.frame.scopes, self.module_names):
            if name in names:
                return names[name]
        if self.starred and name not in _BUILTINS:
            return outside(name, *(f"{module}.{name}" for module in self.starred))
        return outside(name)

    def item_of(self, value: Value, key: object) -> Value:
        """The item of a container at a known place."""
        return attributes.item_of(value, key)

    def element_of(self, value: Value) -> Value:
        """Any item of a container."""
        return attributes.element_of(value)

    def entered(self, value: Value) -> Value:
        """What ``with`` binds."""
        generators = value.held("generator")
        if generators:
            return join_all(each for held in generators for each in held.items())
        for held in value.held("instance"):
            member = held.owner.member("__enter__") if isinstance(held.owner, Class) else None
            if member is not None:
                return self.apply(Value(targets=(Bound(member, (value,)),)), None, None)
        return value

    def apply(self, callee: Value, argument: Value | None, node: ast.Call | None) -> Value:
        """Call ``callee`` with one value, as ``map`` or ``type=`` do."""
        return self.apply_all(callee, [] if argument is None else [argument], node)

    def apply_all(self, callee: Value, arguments: list[Value], node: ast.Call | None) -> Value:
        """Call ``callee`` with these values."""
        call = node or ast.copy_location(ast.Call(ast.Name("?", ast.Load()), [], []), self.tree.body[0])
        site = CallSite(
            analysis=self,
            node=call,
            names=callee.names,
            method=next(iter(sorted(callee.names)), "").rsplit(".", 1)[-1],
            receiver=UNKNOWN,
            is_method=False,
            positional=arguments,
            named={},
        )
        return calls.dispatch(site, callee)

    def leave(self, value: Value, node: ast.Return) -> None:
        """Return from the running function."""
        state = self.frame.state
        if self.frame.handler:
            self.pages.check_return(self, value, node)
        elif self.frame.entry:
            pages.check_markup(self, value, node)
        self.frame.returned.append((value, state.copy()))
        state.dead = True

    # Entry points

    def run_nested(self, frame: Frame) -> None:
        """Run the functions defined in ``frame`` that are only called from elsewhere, if at all."""
        waiting, frame.nested = frame.nested, []
        state = frame.state
        dead, facts = state.dead, state.facts
        for function in waiting:
            kind = parameters.handler_kind(self, function)
            if frame.function is not None and function.node in self.entered_nodes:
                continue
            if kind or function.name not in self.called:
                state.dead = False
                self.run_entry(function, kind)
            else:
                self._left.append(function)
        state.dead, state.facts = dead, facts

    def run_entry(self, function: Function, kind: str, self_value: Value | None = None) -> None:
        """Run a function with what may come in through its parameters."""
        state = self.frame.state
        dead, facts = state.dead, state.facts
        names = parameters.parameter_values(self, function, kind)
        if self_value is not None and function.positional:
            names[function.positional[0].arg] = self_value
        definitions.run_function(self, function, names, handler=kind, entry=True)
        state.dead, state.facts = dead, facts

    def _run_methods(self, owner: Class) -> None:
        instance = self._instance(owner)
        functions = [target for member in owner.members.values() for target in member.targets]
        methods = [each for each in functions if isinstance(each, Function) and each.owner is owner]
        for _ in range(2):
            for method in methods:
                kind = parameters.handler_kind(self, method)
                private = method.name.startswith("_") and not method.name.startswith("__")
                if method.name == "__init__":
                    continue
                if (method.name in self.called or private) and not kind:
                    self._left.append(method)
                    continue
                first = None if method.decorated("staticmethod") else instance
                self.run_entry(method, kind, first)

    def _run_the_rest(self) -> None:
        """Run the functions that seemed to be called, by their name, but were not."""
        for function in self._left:
            if function.node not in self.entered_nodes:
                bound = function.owner is not None and not function.decorated("staticmethod")
                first = self._instance(function.owner) if bound and function.owner is not None else None
                self.run_entry(function, parameters.handler_kind(self, function), first)

    def _instance(self, owner: Class) -> Value:
        """An object of a class as someone outside the file makes it."""
        names = frozenset(f"{name}()" for base in owner.bases for name in base.names)
        if owner.annotated_fields() and owner.member("__init__") is None:
            incoming = sources.incoming("parameter", f"field of {owner.name}")
            return parameters.instance_from_outside(self, owner, incoming).with_(names=names)
        held = Held("instance", owner=owner, depth=-1)
        made = Value(holds=(held,), names=names)
        initialiser = owner.member("__init__")
        for target in initialiser.targets if initialiser is not None else ():
            if isinstance(target, Function):
                self.run_entry(target, "", made)
        return made

    # Findings

    def harmful(self, value: Value, danger: str, kinds: frozenset[str] | None = None) -> list[Taint]:
        """What in ``value`` can still do harm in respect of ``danger`` here, in an order that is always the same."""
        facts = self.frame.state.facts
        found = (
            taint
            for taint in value.all_taints()
            if danger not in taint.neutral
            and (kinds is None or taint.source.kind in kinds)
            and danger not in (held := taint.held_harmless(facts))
            and not _lacks(danger, taint.neutral | held)
        )
        return sorted(found, key=lambda taint: taint.place)

    def report(self, pattern: str, node: ast.expr | ast.stmt, message: str, source: Source | None = None) -> None:
        """Note a finding."""
        if source is not None:
            message = f"{message} ({source.text})"
        self.findings.setdefault((node.lineno, pattern), message)

    def note_assignment(self, node: ast.expr, name: str, value: Value) -> None:
        """Let the sinks see what is stored under a name."""
        credentials.check_assignment(self, node, name, value)
        pages.check_assignment(self, node, name, value)

    def note_comparison(self, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
        """Let the sinks see a comparison."""
        credentials.check_comparison(self, node, left, kind, right)
        hosts.check_comparison(self, node, left, kind, right)


def _lacks(danger: str, neutral: frozenset[str]) -> bool:
    missing = [each[6:] for each in neutral if each.startswith("lacks ")]
    return bool(missing) and danger in alphabets.ruled_out_by_absence(missing)


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _aliases(tree: ast.Module) -> set[str]:
    """Names that imports bind, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return found


_BUILTINS = frozenset(dir(sys.modules["builtins"]))
