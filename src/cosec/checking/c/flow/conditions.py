"""What a condition of C says about variables where it holds and where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import TESTED, Facts, State, join, without_nulls
from cosec.checking.c.reading.syntax import Sizes, Unit, arguments, bare, called, text, walk
from cosec.checking.c.reading.trees import MIRRORED

if TYPE_CHECKING:
    from tree_sitter import Node

_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_HINTS = frozenset({"likely", "unlikely", "__builtin_expect", "G_LIKELY", "G_UNLIKELY"})
_ABSOLUTE = frozenset({"abs", "labs", "llabs", "fabs", "imaxabs"})
_COUNTS = ("size", "cap", "max", "sz", "room", "count", "len", "num", "argc", "capacity", "total", "n")


class Conditions:
    """The conditions of one file."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    def sizes(self) -> Sizes:
        """Arrays in scope."""
        return {}

    def assume(self, condition: Node | None, truth: bool, state: State) -> State:
        """Return the facts after ``condition``, already evaluated, came out as ``truth``."""
        if condition is None or state is None:
            return state
        node = bare(condition)
        operator = text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type == "unary_expression" and text(node).startswith("!"):
            return self.assume(node.child_by_field_name("argument"), not truth, state)
        if called(node) in _HINTS and arguments(node):
            return self.assume(arguments(node)[0], truth, state)
        if (value := self.unit.constant(node)) is not None:
            return state if bool(value) == truth else None
        if node.type == "binary_expression" and operator in ("&&", "||"):
            if truth == (operator == "&&"):
                return self.assume(right, truth, self.assume(left, truth, state))
            either = join(
                self.assume(left, truth, state), self.assume(right, truth, self.assume(left, not truth, state))
            )
            return either if truth else without_nulls(either, state)
        return self._tested(node, truth, dict(state))

    def may_count(self, node: Node) -> bool:
        """Tell whether an expression is a variable that may count up to a bound, and no bound itself."""
        return node.type == "identifier"

    def number_in(self, node: Node, known: dict[str, Facts]) -> Facts:
        """Return what is known of a bound."""
        return known.get(text(bare(node)), Facts())

    def _compare_sum(self, left: Node, relation: str, right: Node, known: dict[str, Facts]) -> None:
        """Take in ``i + 1 < length``: a number of a message that nothing bounds says how far ``i`` goes."""
        counter, length = self._counter(left), self.number_in(right, known)
        facts = known.get(text(counter), Facts())
        if counter is None or relation not in ("<", "<=") or self.unit.constant(right, self.sizes()) is not None:
            return
        if length.message and not (length.bounded or facts.limits):
            known[text(counter)] = replace(facts, message=length.message, bounded=True, high=None)
        else:
            known[text(counter)] = replace(facts, limits=facts.limits | _names(right))

    def _counter(self, node: Node) -> Node | None:
        """Return ``i`` for ``i + 1``, where that may count; None for other expressions."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if text(node.child_by_field_name("operator")) != "+" or left is None or right is None:
            return None
        return left if self.may_count(left) and self.unit.constant(right) is not None else None

    def letter(self, node: Node) -> Facts:
        """Return what is known of an expression by itself if it is a letter of a text."""
        return Facts()

    def _tested(self, node: Node, truth: bool, known: dict[str, Facts]) -> dict[str, Facts]:
        """Take in a condition without ``&&`` and ``||``."""
        operator = text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        tested, null = self.null_test(node, truth)
        self._restore(tested, null, known)
        if node.type == "binary_expression" and operator in MIRRORED and left is not None and right is not None:
            self._relate(left, operator if truth else _NEGATED[operator], right, known)
        elif node.type not in ("identifier", "subscript_expression", "pointer_expression"):
            self.looked_at(node, known)
        name, seen = text(node), known.get(text(node))
        if node.type in ("identifier", "field_expression") and seen is not None and seen.low == 0:
            known[name] = replace(seen, low=1) if truth else replace(seen, high=0, bounded=True)
        for mention in self._checked(node):
            known[mention] = replace(known.get(mention, Facts()), unchecked=False)
            for other in [one for one, facts in known.items() if facts.unchecked and facts.same == mention]:
                known[other] = replace(known[other], unchecked=False)
        if tested is not None and tested.type in ("identifier", "field_expression"):
            seen = known.get(text(tested), Facts())
            known[text(tested)] = replace(seen, null=null, used_at=TESTED, freed=seen.freed and not null)
        for call in (one for one in walk(node) if one.type == "call_expression"):
            if called(call) in self.unit.functions:
                for argument in arguments(call):
                    # A function that takes the value in a condition has tested it.
                    seen = known.get(text(argument), Facts())
                    known[text(argument)] = Facts(freed=seen.freed, freed_at=seen.freed_at, possibly=seen.possibly)
        return known

    def _relate(self, left: Node, relation: str, right: Node, known: dict[str, Facts]) -> None:
        """Take in how two numbers or pointers compare."""
        self._compare(left, relation, right, known)
        self._compare(right, MIRRORED[relation], left, known)
        if relation == "!=":
            _part(text(bare(left)), text(bare(right)), known)

    def looked_at(self, node: Node, known: dict[str, Facts]) -> None:
        """Take in that a condition, such as a call of ``isalpha``, looks at the numbers in an expression."""
        for one in walk(node):
            facts = known.get(text(one)) or self.letter(one)
            if facts.negative:
                known[text(one)] = replace(facts, negative=False)

    def _checked(self, node: Node) -> list[str]:
        """Return the expressions that a condition tests as pointers."""
        return [text(one) for one in walk(node) if one.type in ("identifier", "field_expression")]

    def null_test(self, node: Node, truth: bool) -> tuple[Node | None, bool]:
        """Return what a condition without ``&&`` and ``||`` tests, and whether it is NULL where this is the outcome."""
        node = bare(node)
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = text(node.child_by_field_name("operator"))
        if node.type == "unary_expression" and operator == "!" and (inner := node.child_by_field_name("argument")):
            return self.null_test(inner, not truth)
        if operator in ("==", "!=") and left is not None and right is not None:
            sides = [one for one in (left, right) if self.unit.constant(one) != 0]
            tested, null = sides[0] if len(sides) == 1 else None, truth == (operator == "==")
        else:
            tested, null = node, not truth
        while tested is not None and bare(tested).type == "assignment_expression":
            tested = bare(tested).child_by_field_name("left")
        return (bare(tested) if tested is not None else None), null

    def _restore(self, tested: Node | None, null: bool, known: dict[str, Facts]) -> None:
        """Where a pointer turns out to be NULL, ``realloc`` did not free the one that it was given."""
        moved = known.get(text(tested), Facts()).moved if tested is not None else ""
        if moved and null:
            known[moved] = replace(known.get(moved, Facts()), freed=False)

    def _compare(self, left: Node, relation: str, right: Node, known: dict[str, Facts]) -> None:
        cast = text(left.child_by_field_name("type")) if left.type == "cast_expression" else ""
        left = bare(left)
        if left.type == "assignment_expression":
            left = bare(left.child_by_field_name("left") or left)
        elif left.type == "update_expression" and text(left).startswith(("++", "--")):
            left = bare(left.child_by_field_name("argument") or left)
        value = self.unit.constant(right, self.sizes())
        if self.unit.constant(left, self.sizes()) is not None:
            return
        if called(left) in _ABSOLUTE and arguments(left):
            _compare_absolute(text(bare(arguments(left)[0])), relation, right, value, known)
            return
        _compare_parts(left, relation, right, value, known)
        self._compare_sum(left, relation, right, known)
        name = text(left)
        facts = known.get(name) or self.letter(left)
        if relation in ("<", "<=") and ("unsigned" in cast or cast == "size_t"):
            facts = replace(facts, low=max(0, facts.low or 0))
        if relation in ("<", "<=", "==") and (value is not None or self.may_count(left) or not _is_open(right, known)):
            facts = _below(facts, relation, right, value, known)
        if relation == "!=" and value in (2**31 - 1, 2**32 - 1, 2**63 - 1):
            facts = replace(facts, bounded=True, high=None)
        if relation == "!=" and value is not None:
            facts = _without(facts, value)
        if relation in (">", ">=", "=="):
            low = 0 if value is None else value + (relation == ">")
            low = low if facts.low is None else max(low, facts.low)
            facts = replace(facts, low=low, negative=facts.negative and low < 0)
        known[name] = facts


def _part(one: str, other: str, known: dict[str, Facts]) -> None:
    """Take in that two pointers are not the same."""
    for name, root in ((one, other), (other, one)):
        same = known.get(name, Facts()).same
        if same and same in (root, known.get(root, Facts()).same):
            known[name] = replace(known[name], same="")


def _without(facts: Facts, value: int) -> Facts:
    """Return the facts of a number that is not ``value``, which may be the end of its range."""
    if facts.low == value:
        return replace(facts, low=value + 1)
    return replace(facts, high=value - 1) if facts.high == value else facts


def _is_open(limit: Node, known: dict[str, Facts]) -> bool:
    """Tell whether a bound is itself a number from outside that was not compared with anything."""
    facts = known.get(text(bare(limit)), Facts())
    return (facts.outside or bool(facts.message)) and not facts.bounded


def _below(facts: Facts, relation: str, right: Node, value: int | None, known: dict[str, Facts]) -> Facts:
    """Return the facts of a number that is less than ``right``."""
    if value is None:
        about = known.get(text(bare(right)), Facts())
        if about.high is not None and about.bounded:
            value = about.high
        elif _is_open(right, known):
            return replace(facts, loose=about.outside, message=about.message, bounded=True, high=None)
    if value is None:
        limit, count = bare(right), text(bare(right))
        counts = count.lower().endswith(_COUNTS) and not known.get(count, Facts()).bounded
        from_zero = facts.low == 0 and facts.high in (0, None) and not (facts.limits or facts.outside)
        equal = relation == "<=" and counts and (not facts.bounded or from_zero)
        past, over = (equal and limit.type == kind for kind in ("identifier", "field_expression"))
        limits = facts.limits | _names(right)
        high = None if facts.outside else facts.high
        return replace(facts, bounded=True, past=past, over=count if over else "", limits=limits, high=high)
    high = value - (relation == "<")
    # A comparison with the largest value of the type bounds nothing.
    bounds = high < 2**31 - 1 or bare(right).type != "identifier"
    trusted = facts.bounded and facts.high is None
    tighter = high if facts.high is None else min(high, facts.high)
    high_now = None if trusted and not bounds else tighter
    return replace(facts, high=high_now, bounded=facts.bounded or bounds, over="" if bounds else facts.over)


def _compare_absolute(name: str, relation: str, right: Node, value: int | None, known: dict[str, Facts]) -> None:
    """Take in a comparison with ``abs(name)``."""
    facts = known.get(name, Facts())
    if relation not in ("<", "<=", "=="):
        return
    if value is None:
        known[name] = replace(facts, bounded=True, high=None, limits=facts.limits | _names(right))
        return
    high = value - (relation == "<")
    known[name] = replace(facts, bounded=True, low=max(-high, facts.low or -high), high=min(high, facts.high or high))


def _compare_parts(left: Node, relation: str, right: Node, value: int | None, known: dict[str, Facts]) -> None:
    """Take in a comparison of a sum, whose parts are below the bound too, or with a difference."""
    if text(bare(right).child_by_field_name("operator")) == "-":
        for one in walk(right):
            if (part := known.get(text(one))) is not None and (part.past or part.over):
                known[text(one)] = replace(part, past=False, over="")
    if relation not in ("<", "<=") or text(left.child_by_field_name("operator")) != "+":
        return
    for one in walk(left):
        facts = known.get(text(one))
        if one.type in ("identifier", "field_expression") and facts is not None and (facts.outside or facts.message):
            high = facts.high if value is None else min(value, facts.high if facts.high is not None else value)
            limits = facts.limits | _names(right) if value is None else frozenset()
            known[text(one)] = replace(facts, bounded=True, limits=limits, high=None if value is None else high)


def _names(node: Node) -> frozenset[str]:
    return frozenset(text(one) for one in walk(node) if one.type in ("identifier", "field_expression"))
