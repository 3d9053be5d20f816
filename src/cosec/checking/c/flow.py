"""Facts about the variables of a C function at each point, from one walk over its statements.

The walk follows the order of execution. It splits at conditions, joins after them, drops paths that end, and takes
every loop twice. It knows no weakness: a subclass sees each expression with the facts that hold there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosec.checking.c.syntax import Sizes, Unit, arguments, bare, called, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

ENDS = frozenset({"exit", "abort", "_exit", "err", "errx", "die", "fatal", "perror_exit", "longjmp", "quick_exit"})
"""Functions that do not return."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one variable."""

    unchecked: bool = False
    """It may be NULL: no condition tested it."""

    freed: bool = False

    outside: bool = False
    """A number from outside the program."""

    low: int | None = None
    """Smallest possible value."""

    high: int | None = None
    """Largest possible value."""

    bounded: bool = False
    """Whether it was compared with an upper bound."""

    past: bool = False
    """Whether its only upper bound is a count that it may equal."""

    def joined(self, other: Facts) -> Facts:
        """Return the facts that hold on both paths."""
        highs, lows = (self.high, other.high), (self.low, other.low)
        return Facts(
            unchecked=self.unchecked or other.unchecked,
            freed=self.freed or other.freed,
            outside=self.outside or other.outside,
            low=None if lows[0] is None or lows[1] is None else min(lows[0], lows[1]),
            high=None if highs[0] is None or highs[1] is None else max(highs[0], highs[1]),
            bounded=self.bounded and other.bounded,
            past=self.past or other.past,
        )


State = dict[str, Facts] | None
"""Facts of each variable; None if no path arrives."""

_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_COUNTS = ("size", "count", "len", "num", "argc", "capacity", "total", "n")


def join(first: State, second: State) -> State:
    """Return the facts after two paths join."""
    if first is None or second is None:
        return second if first is None else first
    names = first.keys() | second.keys()
    return {name: first.get(name, Facts()).joined(second.get(name, Facts())) for name in names}


class FunctionFlow:
    """One walk over one function."""

    def __init__(self, unit: Unit, function: Node) -> None:
        self.unit, self.function = unit, function
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
            return join(self.assume(left, operator != "&&", state), self.evaluate(right, inner))
        if node.type == "conditional_expression":
            condition = node.child_by_field_name("condition")
            state = self.evaluate(condition, state)
            yes = self.evaluate(node.child_by_field_name("consequence"), self.assume(condition, True, state))
            no = self.evaluate(node.child_by_field_name("alternative"), self.assume(condition, False, state))
            return join(yes, no)
        if node.type in ("sizeof_expression", "function_declarator"):
            return state
        if node.type in ("assignment_expression", "init_declarator"):
            for name in ("right", "value", "left"):
                state = self.evaluate(node.child_by_field_name(name), state)
        else:
            for child in node.named_children:
                state = self.evaluate(child, state)
        if state is not None:
            self.see(node, state)
            if called(node) in ENDS:
                return None
        return state

    def assume(self, condition: Node | None, truth: bool, state: State) -> State:
        """Return the facts after ``condition``, already evaluated, came out as ``truth``."""
        if condition is None or state is None:
            return state
        node = bare(condition)
        operator = text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type == "unary_expression" and text(node).startswith("!"):
            return self.assume(node.child_by_field_name("argument"), not truth, state)
        if node.type == "binary_expression" and operator in ("&&", "||"):
            if truth == (operator == "&&"):
                return self.assume(right, truth, self.assume(left, truth, state))
            return join(self.assume(left, truth, state), self.assume(right, truth, self.assume(left, not truth, state)))
        known = dict(state)
        if node.type == "binary_expression" and operator in _TURNED and left is not None and right is not None:
            relation = operator if truth else _NEGATED[operator]
            self._compare(left, relation, right, known)
            self._compare(right, _TURNED[relation], left, known)
        for mention in self._checked(node):
            known[mention] = replace(known.get(mention, Facts()), unchecked=False)
        for call in (one for one in walk(node) if one.type == "call_expression"):
            if called(call) in self.unit.functions:
                for argument in arguments(call):
                    # A function that takes the value in a condition has tested it.
                    seen = known.get(text(argument), Facts())
                    known[text(argument)] = replace(seen, unchecked=False, outside=False, past=False)
        return known

    def _checked(self, node: Node) -> list[str]:
        """Return the expressions that a condition tests as pointers."""
        return [text(one) for one in walk(node) if one.type in ("identifier", "field_expression")]

    def _compare(self, left: Node, relation: str, right: Node, known: dict[str, Facts]) -> None:
        cast = text(left.child_by_field_name("type")) if left.type == "cast_expression" else ""
        left = bare(left)
        if left.type == "assignment_expression":
            left = left.child_by_field_name("left") or left
        if self.unit.constant(left, self.sizes()) is not None:
            return
        name, value = text(left), self.unit.constant(right, self.sizes())
        facts = known.get(name, Facts())
        if relation in ("<", "<=") and ("unsigned" in cast or cast == "size_t"):
            facts = replace(facts, low=max(0, facts.low or 0))
        if relation in ("<", "<=", "=="):
            if value is None:
                counts = bare(right).type == "identifier" and text(bare(right)).lower().endswith(_COUNTS)
                facts = replace(facts, bounded=True, past=relation == "<=" and counts and not facts.bounded)
            else:
                high = value - (relation == "<")
                tighter = high if facts.high is None else min(high, facts.high)
                # A comparison with the largest value of the type bounds nothing.
                bounds = high < 2**31 - 1 or bare(right).type != "identifier"
                facts = replace(facts, high=tighter, bounded=facts.bounded or bounds)
        if relation == "!=" and value in (2**31 - 1, 2**32 - 1, 2**63 - 1):
            facts = replace(facts, bounded=True)
        if relation in (">", ">=", "=="):
            low = 0 if value is None else value + (relation == ">")
            facts = replace(facts, low=low if facts.low is None else max(low, facts.low))
        known[name] = facts

    def sizes(self) -> Sizes:
        """Arrays in scope."""
        return {}

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
        if kind in ("while_statement", "for_statement", "do_statement"):
            return self._loop(node, state)
        if kind == "switch_statement":
            return self._switch(node, state)
        if kind in ("return_statement", "goto_statement", "break_statement", "continue_statement"):
            return self._leave(node, state)
        return self.evaluate(node, state)

    def _if(self, node: Node, state: State) -> State:
        condition = node.child_by_field_name("condition")
        state = self.evaluate(condition, state)
        then = self._branch(node.child_by_field_name("consequence"), self.assume(condition, True, state))
        other = self._branch(node.child_by_field_name("alternative"), self.assume(condition, False, state))
        return join(then, other)

    def _branch(self, node: Node | None, state: State) -> State:
        return self._statement(node, state) if node is not None and state is not None else state

    def _loop(self, node: Node, state: State) -> State:
        condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
        state = self._initial(node, state)
        left, again = self._left, self._again
        self._left, self._again = [], []
        ends: State = None
        for turn in range(2):
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
        return ends

    def _initial(self, node: Node, state: State) -> State:
        first = node.child_by_field_name("initializer")
        return self.evaluate(first, state)

    def _switch(self, node: Node, state: State) -> State:
        state = self.evaluate(node.child_by_field_name("condition"), state)
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
        if node.type == "goto_statement":
            label = text(node.child_by_field_name("label"))
            self._jumps[label] = join(self._jumps.get(label), state)
        elif node.type == "break_statement":
            self._left.append(state)
        elif node.type == "continue_statement":
            self._again.append(state)
        return None
