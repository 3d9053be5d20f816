"""Statements: follows every branch, and joins the states where branches meet."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from cosec.checking.python.engine import assignment, definitions, matching
from cosec.checking.python.engine.domain.program import text_of
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.state import EXCEPTION, Frame, State, element_facts, item_facts, join_states
from cosec.checking.python.engine.domain.values import NO_FACTS, UNKNOWN, Value, constant, join_all, outside
from cosec.checking.python.engine.library import rows
from cosec.checking.python.engine.library.attributes import element_of
from cosec.checking.python.engine.library.lists import remove_at

LOOP_PASSES = 2
"""Number of times that the body of a loop is run."""


class Interpreter:
    """Runs statements in the analysis' current frame."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._methods: dict[type[ast.stmt], Callable[[Any], None] | None] = {}

    @property
    def _frame(self) -> Frame:
        return self._analysis.frame

    @property
    def _state(self) -> State:
        return self._analysis.frame.state

    def run(self, statements: Sequence[ast.stmt]) -> None:
        """Run ``statements`` until one of them leaves."""
        for statement in statements:
            if self._state.dead:
                return
            self._analysis.count_step()
            kind = type(statement)
            if kind not in self._methods:
                self._methods[kind] = getattr(self, f"_run_{kind.__name__.lower()}", None)
            method = self._methods[kind]
            if method is not None:
                method(statement)

    def _evaluate(self, node: ast.expr) -> Value:
        return self._analysis.evaluate(node)

    def _branch(self, start: State, statements: Sequence[ast.stmt]) -> State:
        """Run ``statements`` from ``start`` on and return the state after them."""
        self._state.become(start)
        self._analysis.depth += 1
        self.run(statements)
        self._analysis.depth -= 1
        return self._state.copy()

    # Definitions and imports

    def _run_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        definitions.define_function(self._analysis, node)

    _run_asyncfunctiondef = _run_functiondef

    def _run_classdef(self, node: ast.ClassDef) -> None:
        definitions.define_class(self._analysis, node)

    def _run_import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.split(".", 1)[0]
            assignment.bind(self._analysis, alias.asname or name, outside(name))

    def _run_importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self._frame.module.starred.append("." * node.level + (node.module or ""))
            else:
                name = (
                    f"{'.' * node.level}{node.module}.{alias.name}"
                    if node.module
                    else f"{'.' * node.level}{alias.name}"
                )
                assignment.bind(self._analysis, alias.asname or alias.name, outside(name))

    def _run_global(self, node: ast.Global) -> None:
        self._frame.globals.update(node.names)

    def _run_nonlocal(self, node: ast.Nonlocal) -> None:
        self._frame.nonlocals.update(node.names)

    # Simple statements

    def _run_expr(self, node: ast.Expr) -> None:
        self._evaluate(node.value)

    def _run_assign(self, node: ast.Assign) -> None:
        value = self._evaluate(node.value)
        for target in node.targets:
            assignment.assign(self._analysis, target, value)

    def _run_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            assignment.assign(self._analysis, node.target, self._evaluate(node.value))

    def _run_augassign(self, node: ast.AugAssign) -> None:
        assignment.assign_augmented(self._analysis, node)

    def _run_return(self, node: ast.Return) -> None:
        value = constant(None) if node.value is None else self._evaluate(node.value)
        self._analysis.leave(value, node)

    def _run_raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            error = self._evaluate(node.exc)
            if self._analysis.raised and error.all_taints():
                self._analysis.raised[-1].append(error.baked(self._state.facts))
        self._state.dead = True

    def _run_assert(self, node: ast.Assert) -> None:
        self._state.facts |= self._evaluate(node.test).when_true

    def _run_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._state.names.pop(target.id, None)
            elif isinstance(target, ast.Subscript):
                place = self._evaluate(target.slice).constant
                for held in self._evaluate(target.value).held("list"):
                    remove_at(held, place, self._analysis.depth)

    # Branches

    def _run_if(self, node: ast.If) -> None:
        test = self._evaluate(node.test)
        if self._state.dead:
            return
        before = self._state.copy()
        known = isinstance(test.constant, bool)
        ends = []
        if not known or test.constant:
            ends.append(self._branch(State(dict(before.names), before.facts | test.when_true), node.body))
        if not known or not test.constant:
            ends.append(self._branch(State(dict(before.names), before.facts | test.when_false), node.orelse))
        completed = _completed_name(node)
        if completed and len(ends) == 2 and completed in ends[0].names:
            ends[1].names[completed] = ends[0].names[completed]
        self._meet(ends)

    def _meet(self, ends: list[State]) -> None:
        self._state.become(join_states(ends))

    def _run_match(self, node: ast.Match) -> None:
        subject = self._evaluate(node.subject)
        before = self._state.copy()
        ends = []
        closed = False
        for case in node.cases:
            known = matching.outcome(subject, case.pattern)
            if closed or known is False:
                continue
            self._state.become(before)
            self._state.facts |= matching.facts(subject, case.pattern)
            matching.bind(self._analysis, subject, case.pattern)
            test = UNKNOWN if case.guard is None else self._evaluate(case.guard)
            start = State(dict(self._state.names), self._state.facts | test.when_true)
            ends.append(self._branch(start, case.body))
            closed = closed or (case.guard is None and (known is True or matching.irrefutable(case.pattern)))
        self._meet(ends if closed else [*ends, before])

    def _run_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self._analysis.entered(self._evaluate(item.context_expr))
            if item.optional_vars is not None:
                assignment.assign(self._analysis, item.optional_vars, value)
        self.run(node.body)

    _run_asyncwith = _run_with

    def _run_try(self, node: ast.Try) -> None:
        before = self._state.copy()
        self._analysis.raised.append([])
        body_end = self._branch(before.copy(), node.body)
        error = join_all(self._analysis.raised.pop())
        if not body_end.dead:
            body_end = self._branch(body_end, node.orelse)
        interrupted = State(dict(body_end.names), before.facts)
        start = join_states([before, interrupted], lost_everywhere=True)
        ends = [body_end]
        for handler in node.handlers:
            self._state.become(start)
            self._state.names[EXCEPTION] = error
            if handler.name:
                assignment.bind(self._analysis, handler.name, error)
            ends.append(self._branch(self._state.copy(), handler.body))
        self._meet(ends)
        if node.finalbody:
            dead = self._state.dead
            self._state.dead = False
            self.run(node.finalbody)
            self._state.dead = self._state.dead or dead

    _run_trystar = _run_try

    # Loops

    def _run_for(self, node: ast.For | ast.AsyncFor) -> None:
        iterable = rows.iterated(self._analysis, node.iter, self._evaluate(node.iter))
        if self._state.dead:
            return
        before = self._state.copy()
        element = element_of(iterable)
        items = {taint.lineage for taint in element.all_taints()}
        gathered, broken = NO_FACTS, False
        for _ in range(LOOP_PASSES):
            start = self._state.copy()
            self._enter_loop()
            assignment.assign(self._analysis, node.target, element)
            end = self._branch(self._state.copy(), node.body)
            breaks, continues = self._leave_loop()
            end = join_states([end, *continues])
            gathered = NO_FACTS if end.dead else element_facts(end.facts) | item_facts(end.facts, iterable)
            broken = bool(breaks)
            self._state.become(join_states([start, end, *breaks], items=items))
        if not broken:
            self._state.facts |= gathered
        self._state.dead = before.dead
        self.run(node.orelse)

    _run_asyncfor = _run_for

    def _run_while(self, node: ast.While) -> None:
        test = self._evaluate(node.test)
        for _ in range(LOOP_PASSES):
            start = self._state.copy()
            self._enter_loop()
            entered = State(dict(start.names), start.facts | test.when_true)
            end = self._branch(entered, node.body)
            breaks, continues = self._leave_loop()
            end = join_states([end, *continues])
            # The outcome of a comparison may change with the next pass.
            endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
            self._state.become(join_states([end, start]))
            test = self._evaluate(node.test)
            self._state.facts |= test.when_false
            if breaks:
                self._state.become(join_states(breaks if endless else [self._state.copy(), *breaks]))
            elif endless and end.dead:
                self._state.dead = True
                return
        self.run(node.orelse)

    def _enter_loop(self) -> None:
        self._frame.breaks.append([])
        self._frame.continues.append([])

    def _leave_loop(self) -> tuple[list[State], list[State]]:
        return self._frame.breaks.pop(), self._frame.continues.pop()

    def _run_break(self, _: ast.Break) -> None:
        if self._frame.breaks:
            self._frame.breaks[-1].append(self._state.copy())
        self._state.dead = True

    def _run_continue(self, _: ast.Continue) -> None:
        if self._frame.continues:
            self._frame.continues[-1].append(self._state.copy())
        self._state.dead = True


def _completed_name(node: ast.If) -> str:
    """Return the name that ``if not root.endswith("/"): root += "/"`` completes; empty for other statements."""
    test = node.test.operand if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not) else None
    only = node.body[0] if len(node.body) == 1 and not node.orelse else None
    if not isinstance(only, ast.AugAssign | ast.Assign) or not isinstance(test, ast.Call) or len(test.args) != 1:
        return ""
    name, end = (test.func.value if isinstance(test.func, ast.Attribute) else None), text_of(test.args[0])
    if not isinstance(name, ast.Name) or text_of(test.func) != f"{name.id}.endswith":
        return ""
    completed = {f"{name.id} += {end}", f"{name.id} = {name.id} + {end}"}
    return name.id if text_of(only) in completed else ""
