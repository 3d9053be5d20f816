"""The interfaces of the engine: `Analysis`, which its parts call, and `Observer`, which receives the events of a run.

Parts of the engine take an `Analysis` and import this module, never the module that implements it. An `Observer`
decides what is a finding; the engine itself knows no weakness.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cosec.checking.finding import EntryPoints, Severity
from cosec.checking.python.engine.domain.program import Class, Function, Module, Program
from cosec.checking.python.engine.domain.state import Frame
from cosec.checking.python.engine.domain.values import UNKNOWN, Source, Taint, Value, join_all


class Imports(Protocol):
    """Finds the files of imported modules."""

    def find(self, name: str, importer: str) -> str | None:
        """Return the path of a module of the same project; None for others.

        Args:
            name: Its dotted name, with leading dots if it is relative.
            importer: The path of the file that imports it.
        """
        ...

    def reads_input(self, path: str, name: str) -> bool:
        """Tell whether a name of a file may read text from outside, by that file's code or that of its imports."""
        ...

    def tree(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a file; None if it has none."""
        ...


@dataclass(slots=True)
class Outgoing:
    """A call of a function of another file."""

    node: ast.expr
    """The call, in the judged file."""

    sources: frozenset[Source]
    """Sources of the text that goes there; text that the other file reads and uses is that file's own."""


class Analysis(Protocol):
    """The abstract run of one file, as the parts of the engine and the observer see it."""

    frames: list[Frame]
    """Function calls in progress, the module first."""

    entry_points: EntryPoints
    """The functions whose parameters are untrusted."""

    depth: int
    """Number of branches around the current statement."""

    classes: list[Class]
    """Classes defined so far."""

    options: dict[str, Value]
    """Options of `argparse` by their destination."""

    stored_texts: set[str]
    """Source texts of attributes and items that were stored on values from outside the file."""

    shared: dict[str, Value]
    """Untrusted text stored on objects that all functions see, such as ``flask.g``, by dotted name."""

    entered_nodes: set[ast.AST]
    """Functions that ran."""

    registered: dict[ast.AST, ast.Call]
    """Functions that answer requests, with the call that tells the framework so."""

    entry_kinds: dict[ast.AST, str]
    """The entry points that run, with the framework whose requests they answer."""

    raised: list[list[Value]]
    """For each ``try`` whose body runs: the exceptions with text from outside that its handlers may get."""

    imports: Imports | None
    """What finds the files that the judged file imports; None if it is judged by itself."""

    modules: dict[str, Module]
    """Other files that were read, by path."""

    outgoing: list[Outgoing]
    """Calls of functions of other files that run."""

    globals_changed: bool
    """Whether a function stored a global name."""

    findings: dict[tuple[int, str], Reported]
    """What was reported so far, by line and pattern."""

    @property
    def frame(self) -> Frame:
        """The function call that runs."""
        ...

    @property
    def program(self) -> Program:
        """The file whose code runs."""
        ...

    @property
    def module_names(self) -> dict[str, Value]:
        """The names of the module's own level."""
        ...

    @property
    def observer(self) -> Observer:
        """The receiver of this run's events."""
        ...

    def count_step(self) -> None:
        """Count one expression or statement."""
        ...

    def run_statements(self, statements: Sequence[ast.stmt]) -> None:
        """Run ``statements`` in the current frame until one of them leaves."""
        ...

    def run_nested(self, frame: Frame) -> None:
        """Run the functions defined in ``frame`` that nothing there calls."""
        ...

    def evaluate(self, node: ast.expr) -> Value:
        """Return the value of an expression."""
        ...

    def binary(self, kind: ast.operator, left: Value, right: Value) -> Value:
        """Return the value of ``left kind right``."""
        ...

    def look_up(self, name: str) -> Value:
        """Return the value of a name."""
        ...

    def call(self, node: ast.Call) -> Value:
        """Return the value of a call."""
        ...

    def call_function(
        self, function: Function, positional: Sequence[Value], named: Mapping[str, Value], rest: Value
    ) -> Value:
        """Call a function of the file; ``rest`` is what starred arguments may hold."""
        ...

    def apply(self, callee: Value, arguments: Sequence[Value], node: ast.Call | None) -> Value:
        """Call ``callee`` with these values, as ``map`` or ``type=`` do; ``node`` is the place."""
        ...

    def entered(self, value: Value) -> Value:
        """Return what ``with value as name`` binds."""
        ...

    def leave(self, value: Value, node: ast.Return) -> None:
        """Return ``value`` from the running function."""
        ...

    def harmful(self, value: Value, danger: str, kinds: frozenset[str] | None = None) -> list[Taint]:
        """Return the taints of ``value`` that still carry ``danger`` here, in a fixed order."""
        ...

    def place(self, node: ast.expr | ast.stmt, source: Source | None) -> ast.expr | ast.stmt | None:
        """Return where a finding at ``node`` is reported in the judged file; None if it belongs to another file."""
        ...

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
        """Add a finding.

        Args:
            pattern: Its pattern.
            node: Its place.
            message: One sentence.
            source: Where the text comes from, if the finding is about a flow.
            severity: How sure it is. The default is ``error`` for a flow from a certain source, else ``warning``.
            literals: The texts of the program that it is about, if it is about such texts.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reported:
    """What an observer reported at one line."""

    message: str
    severity: Severity
    """How sure it is; the pattern may lower it."""

    literals: tuple[str, ...] = ()
    """Texts of the program that it is about."""

    lines: range = field(default=range(0), compare=False)
    """The lines of its place."""


@dataclass(slots=True, kw_only=True)
class CallSite:
    """A call with its arguments evaluated."""

    analysis: Analysis
    node: ast.Call
    names: frozenset[str]
    """Dotted names of what is called: ``os.system``, ``sqlite3.connect().execute``."""

    method: str
    """The last part of its name."""

    receiver: Value
    """The value before the last dot; unknown for a plain name."""

    is_method: bool
    """Whether it is called on a value, rather than by a name or in a module."""

    positional: list[Value]
    named: dict[str, Value]
    rest: Value = field(default=UNKNOWN)
    """Join of the values in ``*args`` and ``**options`` that are not known one by one."""

    _last_names: frozenset[str] | None = field(default=None, init=False, repr=False)

    @property
    def first(self) -> Value:
        """The first argument, by position or by name; unknown if there is none."""
        return self.positional[0] if self.positional else next(iter(self.named.values()), UNKNOWN)

    def argument(self, place: int | None, *names: str) -> Value | None:
        """Return the argument at a place or by one of ``names``; None if it was not given."""
        for name in names:
            if name in self.named:
                return self.named[name]
        if place is not None and place < len(self.positional):
            return self.positional[place]
        return None

    def all_arguments(self) -> list[Value]:
        """Return every argument."""
        return [*self.positional, *self.named.values(), self.rest]

    def taints(self) -> frozenset[Taint]:
        """Return the taints of all arguments."""
        return join_all(Value(taints=each.all_taints()) for each in self.all_arguments()).taints

    def called(self, *names: str) -> bool:
        """Tell whether it may be one of these dotted names."""
        return not self.names.isdisjoint(names)

    def called_last(self, names: Collection[str]) -> bool:
        """Tell whether the last part of its name is one of ``names``."""
        return self.method in names or not self.last_names.isdisjoint(names)

    @property
    def last_names(self) -> frozenset[str]:
        """The last parts of its dotted names."""
        if self._last_names is None:
            self._last_names = frozenset(name.rpartition(".")[2] for name in self.names)
        return self._last_names

    def within(self, *prefixes: str) -> bool:
        """Tell whether one of its names starts with one of ``prefixes``, such as ``subprocess.``."""
        return any([name.startswith(prefixes) for name in self.names])  # noqa: C419 - a list is faster for few names


class Observer(Protocol):
    """Receives the events of an analysis and reports findings to it."""

    def on_call(self, site: CallSite) -> None:
        """Handle a call of a function outside the file, or of a class of the file."""
        ...

    def result_of(self, site: CallSite) -> Value | None:
        """Return the value of a call that the observer models itself; None for any other."""
        ...

    def on_assignment(self, analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
        """Handle a store under a name, an attribute or a key."""
        ...

    def on_comparison(self, analysis: Analysis, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
        """Handle a comparison of two values; ``node`` is the whole chain of comparisons."""
        ...

    def on_result(self, analysis: Analysis, value: Value, node: ast.Return | ast.Yield) -> None:
        """Handle what the running function returns or yields."""
        ...

    def on_end(self, analysis: Analysis) -> None:
        """Handle the end of the run."""
        ...
