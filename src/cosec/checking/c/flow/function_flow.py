"""Facts about the variables of a C function at each point, from one walk over its statements.

The walk follows the order of execution. It splits at conditions, joins after them, drops paths that end, and takes
every loop twice. It knows no weakness: a subclass sees each expression with the facts that hold there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.flow.conditions import Conditions
from cosec.checking.c.flow.facts import Facts, State, join, without_nulls
from cosec.checking.c.flow.summaries import ENDING_NAMES, ENDS
from cosec.checking.c.reading.syntax import Unit, arguments, called, text
from cosec.checking.c.reading.trees import LOOPS

if TYPE_CHECKING:
    from tree_sitter import Node

_RETURNS = re.compile(r"(^|_)RETURN(_|$)|^Py_UNREACHABLE$")
"""Macros of libraries that return from the function."""


class FunctionFlow(Conditions):
    """One walk over one function."""

    def __init__(self, unit: Unit, function: Node) -> None:
        super().__init__(unit)
        self.function = function
        self._jumps: dict[str, State] = {}
        self._left: list[State] = []
        self._again: list[State] = []

    def run(self, start: dict[str, Facts]) -> None:
        """Walk the body, starting with these facts."""
        body = self.function.child_by_field_name("body")
        if body is not None:
            self._statement(body, start)

    def see(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at one expression, after its parts; may change ``state``."""

    def evaluate(self, node: Node | None, state: State) -> State:
        """Return the facts after an expression."""
        if node is None or state is None:
            return state
        operator = text(node.child_by_field_name("operator"))
        if node.type == "binary_expression" and operator in ("&&", "||"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            state = self.evaluate(left, state)
            inner = self.assume(left, operator == "&&", state)
            return without_nulls(join(self.assume(left, operator != "&&", state), self.evaluate(right, inner)), state)
        if node.type == "conditional_expression":
            condition = node.child_by_field_name("condition")
            state = self.evaluate(condition, state)
            yes = self.evaluate(node.child_by_field_name("consequence"), self.assume(condition, True, state))
            no = self.evaluate(node.child_by_field_name("alternative"), self.assume(condition, False, state))
            return without_nulls(join(yes, no), state)
        if node.type in ("sizeof_expression", "function_declarator"):
            return state
        if node.type in ("assignment_expression", "init_declarator"):
            for name in ("right", "value", "left"):
                state = self.evaluate(node.child_by_field_name(name), state)
        else:
            for child in node.named_children:
                state = self.evaluate(child, state)
        return self._seen(node, state) if state is not None else None

    def decide(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at an ``if`` statement with the facts before its condition."""

    def _seen(self, node: Node, state: dict[str, Facts]) -> State:
        self.see(node, state)
        name = called(node)
        if name in ENDS or name in self.unit.ending:
            return None
        if name and name not in self.unit.functions and ENDING_NAMES.search(name):
            return None
        if "assert" in called(node).lower() and arguments(node) and "NDEBUG" not in self.unit.macros:
            return self.assume(arguments(node)[0], True, state)
        return state

    def _statement(self, node: Node, state: State) -> State:
        kind = node.type
        if kind == "labeled_statement":
            state = join(state, self._jumps.get(text(node.child_by_field_name("label"))))
            for child in node.named_children[1:]:
                state = self._statement(child, state)
            return state
        if kind in ("compound_statement", "case_statement", "else_clause"):
            for child in node.named_children:
                state = self._statement(child, state)
            return state
        if state is None:
            return None
        if kind == "if_statement":
            return self._if(node, state)
        if kind in LOOPS:
            return self._loop(node, state)
        if kind == "switch_statement":
            return self._switch(node, state)
        if kind in ("return_statement", "goto_statement", "break_statement", "continue_statement"):
            return self._leave(node, state)
        state = self.evaluate(node, state)
        first = node.named_children[0] if kind == "expression_statement" and node.named_children else None
        returns = first is not None and _RETURNS.search(called(first) or text(first))
        return None if returns else state

    def _if(self, node: Node, state: State) -> State:
        condition = node.child_by_field_name("condition")
        if state is not None:
            self.decide(node, state)
        state = self.evaluate(condition, without_nulls(state))
        alternative = node.child_by_field_name("alternative")
        then = self._branch(node.child_by_field_name("consequence"), self.assume(condition, True, state))
        other = self._branch(alternative, self.assume(condition, False, state))
        # A pointer that only has a branch of its own where it is not NULL may be known not to be.
        return join(then, other if alternative is not None else without_nulls(other))

    def _branch(self, node: Node | None, state: State) -> State:
        return self._statement(node, state) if node is not None and state is not None else state

    def _loop(self, node: Node, state: State) -> State:
        condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
        state = self._initial(node, state)
        left, again = self._left, self._again
        self._left, self._again = [], []
        ends: State = None
        for turn in range(2):
            state = without_nulls(state)
            if node.type != "do_statement":
                state = self.evaluate(condition, state)
                ends = join(ends, self.assume(condition, False, state) if condition is not None else None)
                state = self.assume(condition, True, state)
            state = self._branch(body, state)
            for one in self._again:
                state = join(state, one)
            self._again = []
            state = self.evaluate(node.child_by_field_name("update"), state)
            if node.type == "do_statement":
                state = self.evaluate(condition, state)
                ends = join(ends, self.assume(condition, False, state))
                state = self.assume(condition, True, state)
            elif turn == 1:
                state = self.evaluate(condition, state)
                ends = join(ends, self.assume(condition, False, state) if condition is not None else None)
        for one in self._left:
            ends = join(ends, one)
        self._left, self._again = left, again
        return without_nulls(ends)

    def _initial(self, node: Node, state: State) -> State:
        first = node.child_by_field_name("initializer")
        return self.evaluate(first, state)

    def _switch(self, node: Node, state: State) -> State:
        condition = node.child_by_field_name("condition")
        state = self.evaluate(condition, without_nulls(state))
        if state is not None and condition is not None:
            state = dict(state)
            self.looked_at(condition, state)
        body = node.child_by_field_name("body")
        left, self._left = self._left, []
        at: State = None
        for case in body.named_children if body is not None else []:
            at = self._statement(case, join(at, dict(state) if state is not None else None))
        for one in [*self._left, state]:
            at = join(at, one)
        self._left = left
        return at

    def _leave(self, node: Node, state: State) -> State:
        for child in node.named_children:
            state = self.evaluate(child, state)
        if state is not None:
            self.see(node, state)
        if node.type == "goto_statement":
            label = text(node.child_by_field_name("label"))
            self._jumps[label] = join(self._jumps.get(label), state)
        elif node.type == "break_statement":
            self._left.append(state)
        elif node.type == "continue_statement":
            self._again.append(state)
        return None
