"""The analysis of one file: runs it from every entry point, and keeps the run finite."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path

from cosec.checking.finding import SEVERITIES, EntryPoints, Severity
from cosec.checking.python.engine import calls, definitions, parameters
from cosec.checking.python.engine.domain import alphabets
from cosec.checking.python.engine.domain.memory import content
from cosec.checking.python.engine.domain.program import Bound, Class, Function, Module, Program, forget_nodes
from cosec.checking.python.engine.domain.protocol import CallSite, Imports, Observer, Outgoing, Reported
from cosec.checking.python.engine.domain.state import Frame, State
from cosec.checking.python.engine.domain.taints import forget_taints
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Source, Taint, Value, join_all, outside
from cosec.checking.python.engine.expressions import Evaluator
from cosec.checking.python.engine.imports import TooFarError
from cosec.checking.python.engine.statements import Interpreter
from cosec.checking.python.knowledge.sources import UNCERTAIN

MAX_STEPS_ELSEWHERE = 20_000
"""Steps in functions of other files."""

MAX_STEPS = 100_000
"""Expressions and statements evaluated for one file; a typical completion needs a few thousand."""

_BUILTINS = frozenset(dir(builtins))


class TooLargeError(Exception):
    """The file needs more than `MAX_STEPS` steps."""


class FileAnalysis:
    """One abstract run over one parsed file; implements `protocol.Analysis`.

    Args:
        tree: The file.
        observer: Receives the events of the run and reports findings.
        imports: Finds the files that it imports; None to judge the file by itself.
        path: Where they are looked for.
        entry_points: The functions whose parameters are untrusted.
    """

    def __init__(
        self,
        tree: ast.Module,
        observer: Observer,
        imports: Imports | None = None,
        path: str = "",
        *,
        entry_points: EntryPoints = "all",
    ) -> None:
        forget_nodes()
        forget_taints()
        self.observer = observer
        self.entry_points: EntryPoints = entry_points
        state = State()
        self.frames = [Frame(None, state, Module(Program.of(tree), state.names, path=path))]
        self.imports = imports
        self.modules: dict[str, Module] = {}
        self.outgoing: list[Outgoing] = []
        self.depth = 0
        self.classes: list[Class] = []
        self.options: dict[str, Value] = {}
        self.stored_texts: set[str] = set()
        self.shared: dict[str, Value] = {}
        self.raised: list[list[Value]] = []
        self.entered_nodes: set[ast.AST] = set()
        self.registered: dict[ast.AST, ast.Call] = {}
        self.entry_kinds: dict[ast.AST, str] = {}
        self.globals_changed = False
        self.findings: dict[tuple[int, str], Reported] = {}
        """By line and pattern."""

        self._interpreter = Interpreter(self)
        self._evaluator = Evaluator(self)
        self._steps = 0
        self._steps_elsewhere = 0
        self._left: list[Function] = []
        self._decorates = False

    @property
    def frame(self) -> Frame:
        """The function call that runs."""
        return self.frames[-1]

    @property
    def program(self) -> Program:
        """The file whose code runs."""
        return self.frames[-1].module.program

    @property
    def module_names(self) -> dict[str, Value]:
        """The names of the module's own level."""
        return self.frames[-1].module.names

    def run(self) -> None:
        """Run the module, then every function that nothing in the file calls.

        Raises:
            TooLargeError: If it takes more than `MAX_STEPS` steps.
            RecursionError: If the file is nested too deeply.
        """
        self.run_statements(self.program.tree.body)
        self.frame.state.dead = False
        functions = list(self.frame.nested)
        self._run_entries()
        if self.globals_changed:
            # A function may have read what all see before another one stored it.
            self.frame.nested = functions
            self._run_entries()
        self.observer.on_end(self)

    def _run_entries(self) -> None:
        self.run_nested(self.frames[0])
        for owner in self.classes:
            self._run_methods(owner)
        self._run_the_rest()

    # What the parts of the engine call: see `protocol.Analysis`.

    def count_step(self) -> None:
        """Count one expression or statement.

        Raises:
            TooLargeError: If there were more than `MAX_STEPS`.
            TooFarError: If functions of other files took more than `MAX_STEPS_ELSEWHERE`.
        """
        if self.outgoing:
            self._steps_elsewhere += 1
            if self._steps_elsewhere > MAX_STEPS_ELSEWHERE:
                raise TooFarError
            return
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooLargeError

    def run_statements(self, statements: Sequence[ast.stmt]) -> None:
        """Run ``statements`` in the current frame until one of them leaves."""
        self._interpreter.run(statements)

    def evaluate(self, node: ast.expr) -> Value:
        """Return the value of an expression."""
        return self._evaluator.evaluate(node)

    def binary(self, kind: ast.operator, left: Value, right: Value) -> Value:
        """Return the value of ``left kind right``."""
        return self._evaluator.binary(kind, left, right)

    def call(self, node: ast.Call) -> Value:
        """Return the value of a call."""
        return calls.call(self, node)

    def call_function(
        self, function: Function, positional: Sequence[Value], named: Mapping[str, Value], rest: Value
    ) -> Value:
        """Call a function of the file."""
        return definitions.call_function(self, function, positional, named, rest)

    def look_up(self, name: str) -> Value:
        """Return the value of a name."""
        for names in (self.frame.state.names, *self.frame.scopes, self.module_names):
            if name in names:
                return names[name]
        starred = self.frame.module.starred
        if starred and name not in _BUILTINS:
            return outside(name, *(f"{module}.{name}" for module in starred))
        return outside(name)

    def entered(self, value: Value) -> Value:
        """Return what ``with value as name`` binds."""
        generators = value.held("generator")
        if generators:
            return join_all(each for held in generators for each in held.items())
        for held in value.held("instance"):
            member = held.owner.member("__enter__") if isinstance(held.owner, Class) else None
            if member is not None:
                return self.apply(Value(targets=(Bound(member, (value,)),)), [], None)
        return value

    def apply(self, callee: Value, arguments: Sequence[Value], node: ast.Call | None) -> Value:
        """Call ``callee`` with these values."""
        nowhere = ast.Call(ast.Name("?", ast.Load()), [], [])
        site = CallSite(
            analysis=self,
            node=node or ast.copy_location(nowhere, self.program.tree.body[0]),
            names=callee.names,
            method=next(iter(sorted(callee.names)), "").rsplit(".", 1)[-1],
            receiver=UNKNOWN,
            is_method=False,
            positional=list(arguments),
            named={},
        )
        return calls.dispatch(site, callee)

    def leave(self, value: Value, node: ast.Return) -> None:
        """Return ``value`` from the running function."""
        state = self.frame.state
        self.observer.on_result(self, value, node)
        self.frame.returned.append((value, state.copy()))
        state.dead = True

    def harmful(self, value: Value, danger: str, kinds: frozenset[str] | None = None) -> list[Taint]:
        """Return the taints of ``value`` that still carry ``danger`` here, in a fixed order."""
        facts = self.frame.state.facts
        found = (
            taint
            for taint in value.all_taints()
            if danger not in taint.neutral
            and (kinds is None or taint.source.kind in kinds)
            and danger not in (held := taint.held_harmless(facts))
            and not _lacks(danger, taint.neutral | held)
        )
        return sorted(found, key=lambda taint: (taint.source.kind in UNCERTAIN, taint.place))

    def place(self, node: ast.expr | ast.stmt, source: Source | None) -> ast.expr | ast.stmt | None:
        """Return where a finding at ``node`` is reported in the judged file; None if it belongs to another file."""
        if not self.outgoing:
            return None if self.frame.module.imported else node
        outgoing = self.outgoing[0]
        return outgoing.node if source in outgoing.sources else None

    def report(
        self,
        pattern: str,
        node: ast.expr | ast.stmt,
        message: str,
        source: Source | None = None,
        *,
        severity: Severity | None = None,
        literals: tuple[str, ...] = (),
    ) -> None:
        """Add a finding; of the most severe ones of a pattern on a line, the first stays.

        A finding inside a function of another file counts for the call, if the text goes there from here.
        """
        place = self.place(node, source)
        if place is None:
            return
        node = place
        if self.frame.module.imported:
            message = f"{message}, in {Path(self.frame.module.path).name}"
        if source is not None:
            message = f"{message} ({source.text})"
        if severity is None:
            severity = "warning" if source is None or source.kind in UNCERTAIN else "error"
        before = self.findings.get((node.lineno, pattern))
        if before is None or SEVERITIES.index(severity) < SEVERITIES.index(before.severity):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            self.findings[node.lineno, pattern] = Reported(message, severity, literals, lines)

    # Entry points

    def run_nested(self, frame: Frame) -> None:
        """Run the functions defined in ``frame`` that nothing there calls."""
        waiting, frame.nested = frame.nested, []
        if self.outgoing or self._decorates:
            return
        state = frame.state
        dead, facts = state.dead, state.facts
        for function in waiting:
            kind = parameters.handler_kind(self, function)
            if frame.function is not None and function.node in self.entered_nodes:
                continue
            if kind or function.name not in self.program.called:
                state.dead = False
                self._run_entry(function, kind)
            else:
                self._left.append(function)
        state.dead, state.facts = dead, facts

    def _run_entry(self, function: Function, kind: str, self_value: Value | None = None) -> None:
        """Run a function with untrusted parameters."""
        state = self.frame.state
        dead, facts = state.dead, state.facts
        names = parameters.parameter_values(self, function, kind)
        if self_value is not None and function.positional:
            names[function.positional[0].arg] = self_value
        self.entry_kinds[function.node] = kind
        if not self._run_decorated(function, names):
            state.dead, state.facts = False, facts
            definitions.run_function(self, function, names)
        self.entry_kinds.pop(function.node, None)
        state.dead, state.facts = dead, facts

    def _run_decorated(self, function: Function, names: dict[str, Value]) -> bool:
        """Run a function through its decorators of the file, which may check what it gets.

        Returns:
            Whether a decorator has called it.
        """
        wrapped = Value(targets=(function,))
        self._decorates = True
        for decorator in reversed(function.decorators):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if any(isinstance(each, Function | Bound) for each in self.evaluate(called).targets):
                wrapped = self.apply(self.evaluate(decorator), [wrapped], None)
        self._decorates = False
        wrappers = [each for each in wrapped.targets if isinstance(each, Function) and each is not function]
        self.entered_nodes.discard(function.node)
        for wrapper in wrappers:
            self.frame.state.dead = False
            positional, named = definitions.arguments_of_wrapper(wrapper, function, names)
            self.call_function(wrapper, positional, named, UNKNOWN)
        return function.node in self.entered_nodes

    def _run_methods(self, owner: Class) -> None:
        instance = self._instance(owner)
        functions = [target for member in owner.members.values() for target in member.targets]
        methods = [each for each in functions if isinstance(each, Function) and each.owner is owner]
        for _ in range(2):
            before = self._memory(instance)
            for method in methods:
                kind = parameters.handler_kind(self, method)
                private = method.name.startswith("_") and not method.name.startswith("__")
                private = private or method.name == "__call__"
                if method.name == "__init__":
                    continue
                if (method.name in self.program.called or private) and not kind:
                    self._left.append(method)
                    continue
                first = None if method.decorated("staticmethod") else instance
                self._run_entry(method, kind, first)
            if self._memory(instance) == before:
                return  # No method would see anything new.

    def _memory(self, instance: Value) -> tuple[object, ...]:
        """Return all that a method of ``instance`` can see of what other methods stored."""
        modules = [self.frames[0].module, *self.modules.values()]
        stored = (dict(self.shared), dict(self.options), len(self.stored_texts), len(self.classes), len(modules))
        return stored, content([module.names for module in modules], [instance])

    def _run_the_rest(self) -> None:
        """Run the functions whose names occur in calls, but that no call reached."""
        for function in self._left:
            if function.node not in self.entered_nodes:
                bound = function.owner is not None and not function.decorated("staticmethod")
                first = self._instance(function.owner) if bound and function.owner is not None else None
                self._run_entry(function, parameters.handler_kind(self, function), first)

    def _instance(self, owner: Class) -> Value:
        """Return an object of a class, as code outside the file creates it."""
        names = frozenset(f"{name}()" for base in owner.bases for name in base.names)
        if owner.annotated_fields() and owner.member("__init__") is None:
            incoming = parameters.from_caller(self, f"field of {owner.name}")
            return parameters.instance_from_outside(self, owner, incoming).with_(names=names)
        held = Held("instance", owner=owner, depth=-1)
        made = Value(holds=(held,), names=names)
        initialiser = owner.member("__init__")
        for target in initialiser.targets if initialiser is not None else ():
            if isinstance(target, Function):
                self._run_entry(target, "", made)
        return made


def _lacks(danger: str, neutral: frozenset[str]) -> bool:
    missing = [each[6:] for each in neutral if each.startswith("lacks ")]
    return bool(missing) and danger in alphabets.ruled_out_by_absence(missing)
