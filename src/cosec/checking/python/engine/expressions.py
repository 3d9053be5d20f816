"""Expressions: the value of each kind of expression from the values of its parts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from cosec.checking.python.engine import definitions
from cosec.checking.python.engine.assignment import assign
from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.program import text_of
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.state import State, element_facts, join_states, without_items
from cosec.checking.python.engine.domain.values import (
    NO_FACTS,
    UNKNOWN,
    WHOLE,
    Held,
    Lineage,
    Value,
    constant,
    facts_for,
    holding,
    join,
    join_all,
)
from cosec.checking.python.engine.library import attributes, conditions
from cosec.checking.python.knowledge.dangers import DANGERS

_FOLDED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_LARGEST = 10**12
"""Bound of the numbers that are computed."""

_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


class Evaluator:
    """Evaluates expressions in the analysis' current frame."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._methods: dict[type[ast.expr], Callable[[Any], Value] | None] = {}

    def evaluate(self, node: ast.expr) -> Value:
        """Return the value of ``node``, with the facts that hold if it is true or false."""
        self._analysis.count_step()
        kind = type(node)
        if kind not in self._methods:
            self._methods[kind] = getattr(self, f"_eval_{kind.__name__.lower()}", None)
        method = self._methods[kind]
        return UNKNOWN if method is None else method(node)

    @property
    def _state(self) -> State:
        return self._analysis.frame.state

    def _eval_constant(self, node: ast.Constant) -> Value:
        value = node.value
        return constant(value) if value is None or isinstance(value, str | bytes | int | float) else UNKNOWN

    def _eval_name(self, node: ast.Name) -> Value:
        return self._analysis.look_up(node.id)

    def _eval_attribute(self, node: ast.Attribute) -> Value:
        if self._analysis.stored_texts and (stored := self._stored(node)) is not None:
            return stored
        return attributes.attribute(self._analysis, self.evaluate(node.value), node.attr, node)

    def _stored(self, node: ast.expr) -> Value | None:
        text = text_of(node)
        return self._state.names.get(text) if text in self._analysis.stored_texts else None

    def _eval_subscript(self, node: ast.Subscript) -> Value:
        if self._analysis.stored_texts and (stored := self._stored(node)) is not None:
            return stored
        container = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            _, upper = (
                UNKNOWN if each is None else self.evaluate(each) for each in (node.slice.lower, node.slice.upper)
            )
            length = upper.constant if node.slice.lower is None else None
            return attributes.sliced(container, text_of(node.slice), length if isinstance(length, int) else None)
        key = self.evaluate(node.slice)
        return attributes.item(self._analysis, container, key)

    def _eval_call(self, node: ast.Call) -> Value:
        return self._analysis.call(node)

    def _eval_await(self, node: ast.Await) -> Value:
        return self.evaluate(node.value)

    def _eval_namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        assign(self._analysis, node.target, value)
        return value

    def _eval_starred(self, node: ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _eval_lambda(self, node: ast.Lambda) -> Value:
        return definitions.function_value(self._analysis, node)

    def _eval_yield(self, node: ast.Yield) -> Value:
        if node.value is not None:
            value = self.evaluate(node.value)
            self._analysis.observer.on_result(self._analysis, value, node)
            self._analysis.frame.yielded.append(value.baked(self._state.facts))
        return UNKNOWN

    def _eval_yieldfrom(self, node: ast.YieldFrom) -> Value:
        element = attributes.element_of(self.evaluate(node.value))
        self._analysis.frame.yielded.append(element.baked(self._state.facts))
        return UNKNOWN

    # Operators

    def _eval_binop(self, node: ast.BinOp) -> Value:
        return self.binary(node.op, self.evaluate(node.left), self.evaluate(node.right))

    def binary(self, kind: ast.operator, left: Value, right: Value) -> Value:
        """``left kind right``."""
        both = (left.constant, right.constant)
        divides = isinstance(kind, ast.FloorDiv | ast.Mod) and not both[1]
        if type(kind) in _FOLDED and not divides and all(type(each) is int and abs(each) < _LARGEST for each in both):
            return constant(_FOLDED[type(kind)](*both))
        if isinstance(kind, ast.Mod):
            return self._modulo(left, right)
        if isinstance(kind, ast.Div):
            return attributes.joined_path([left, right])
        if isinstance(kind, ast.Add):
            return self._added(left, right)
        if isinstance(kind, ast.Mult) and (left.strings or right.strings):
            return UNKNOWN  # A known text, some times.
        if isinstance(kind, ast.Mult) and (left.parts or right.parts) and not (left.taints or right.taints):
            return UNKNOWN
        if isinstance(kind, ast.BitOr) and (left.names or right.names):
            return join(left, right)
        # Nothing is left of a set without the known items: all its items are known.
        known = (
            isinstance(kind, ast.Sub) and not right.untrusted() and ("set" in left.flags or right.held("set", "dict"))
        )
        return Value(
            taints=left.all_taints() | right.all_taints(),
            flags=left.flags & {"set"},
            when_false=facts_for(left.all_taints(), DANGERS) if known else NO_FACTS,
        )

    def _modulo(self, left: Value, right: Value) -> Value:
        if left.constants and all(isinstance(each, int | float) for each in left.constants):
            return UNKNOWN
        formatted = texts.percent_format(left, attributes.shown(self._analysis, right))
        if formatted is not None:
            return formatted
        taints = (left.all_taints() | right.all_taints()) if not {"number"} & left.flags else frozenset()
        return Value(taints=frozenset(taint.step("%").without(frozenset({WHOLE})) for taint in taints))

    def _added(self, left: Value, right: Value) -> Value:
        if left.holds or right.holds:
            return self._added_containers(left, right)
        if any("number" in each.flags or isinstance(each.constant, int | float) for each in (left, right)):
            return Value(flags=frozenset({"number"}))
        if "normalised" in left.flags and right.constant in ("/", "\\"):
            # A separator at its end leaves a path where it is: a check of one is a check of the other.
            return left.with_(parts=(*left.text(), str(right.constant)), constants=(), exact=False)
        return texts.concatenated(left, right)

    def _added_containers(self, left: Value, right: Value) -> Value:
        kind = (left.holds or right.holds)[0].kind
        made = Held(kind, depth=self._analysis.depth)
        place = 0
        for value in (left, right):
            for held in value.holds:
                for item in held.items():
                    made.fields[(place,)] = item
                    place += 1
            if not value.holds and value.taints:
                made.add(attributes.element_of(value))
        if any(held.element is not None for value in (left, right) for held in value.holds):
            made.add(join_all(made.fields.values()))
        return holding(made)

    def _eval_unaryop(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            if value.exact and len(value.constants) == 1:
                return constant(not value.constants[0])
            return Value(when_true=value.when_false, when_false=value.when_true)
        only = value.constant
        if isinstance(only, int):
            return constant(-only if isinstance(node.op, ast.USub) else ~only)
        return UNKNOWN

    def _eval_boolop(self, node: ast.BoolOp) -> Value:
        before = self._state.facts
        conjunction = isinstance(node.op, ast.And)
        values: list[Value] = []
        for each in node.values:
            value = self.evaluate(each)
            values.append(value.baked(self._state.facts))
            self._state.facts |= value.when_true if conjunction else value.when_false
        self._state.facts = before
        trues, falses = [value.when_true for value in values], [value.when_false for value in values]
        true = NO_FACTS.union(*trues) if conjunction else trues[0].intersection(*trues[1:])
        false = falses[0].intersection(*falses[1:]) if conjunction else NO_FACTS.union(*falses)
        return join_all(values).with_(when_true=true, when_false=false)

    def _eval_compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        true, false = NO_FACTS, NO_FACTS
        for place, (kind, each) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self.evaluate(each)
            self._analysis.observer.on_comparison(self._analysis, node, left, kind, right)
            known = conditions.constant_outcome(left.constant, kind, right.constant)
            if known is not None and len(node.ops) == 1 and not self._is_set_up(node):
                return constant(known)
            result = conditions.compare(left, kind, right)
            true |= result.when_true
            false = result.when_false if place == 0 else false & result.when_false
            left = right
        return Value(when_true=true, when_false=false, flags=frozenset({"number"}))

    def _is_set_up(self, node: ast.expr) -> bool:
        """Tell whether a function compares a name of the module: a setting, which its user may change."""
        if self._analysis.frame.function is None:
            return False
        names = (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
        return any(name not in self._state.names for name in names)

    def _eval_ifexp(self, node: ast.IfExp) -> Value:
        test = self.evaluate(node.test)
        if isinstance(test.constant, bool):
            return self.evaluate(node.body if test.constant else node.orelse)
        before = self._state.copy()
        values, ends = [], []
        for branch, facts in ((node.body, test.when_true), (node.orelse, test.when_false)):
            self._state.become(before)
            self._state.facts |= facts
            values.append(self.evaluate(branch).baked(self._state.facts))
            ends.append(self._state.copy())
        self._state.become(join_states(ends))
        return join(*values)

    # Texts

    def _eval_joinedstr(self, node: ast.JoinedStr) -> Value:
        pieces = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                value = attributes.shown(self._analysis, self.evaluate(each.value))
                conversion = chr(each.conversion) if each.conversion > 0 else ""
                specification = each.format_spec
                format_text = self.evaluate(specification).letters() if specification is not None else ""
                value = texts.converted(value, conversion, format_text)
                pieces.append(value if value.parts or not value.holds else Value(taints=value.all_taints()))
            else:
                pieces.append(self.evaluate(each))
        return texts.compose(pieces)

    def _eval_templatestr(self, node: ast.expr) -> Value:
        """Return ``t"…"``: no text by itself, as the function that takes it decides how its values are shown."""
        parts = []
        for each in getattr(node, "values", ()):
            if not isinstance(each, ast.Constant):
                value = self.evaluate(each.value).baked(self._state.facts)
                parts.append(holding(Held("template", {"value": value})))
        return holding(
            Held("template", {"interpolations": holding(Held("list", element=join_all(parts)))}, join_all(parts))
        )

    # Containers

    def _eval_tuple(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        made = Held(type(node).__name__.lower(), depth=self._analysis.depth)
        for place, each in enumerate(node.elts):
            value = self.evaluate(each)
            if isinstance(each, ast.Starred):
                made.add(attributes.element_of(value).baked(self._state.facts))
            else:
                made.fields[(place,)] = value.baked(self._state.facts)
        if made.element is not None and made.fields:
            # Places after a starred item are unknown.
            starred = next(place for place, each in enumerate(node.elts) if isinstance(each, ast.Starred))
            for key in [key for key in made.fields if isinstance(key, tuple) and key[0] > starred]:
                made.add(made.fields.pop(key))
        return holding(made)

    _eval_list = _eval_tuple
    _eval_set = _eval_tuple

    def _eval_dict(self, node: ast.Dict) -> Value:
        made = Held("dict", depth=self._analysis.depth)
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node).baked(self._state.facts)
            if key_node is None:
                for held in value.holds:
                    made.fields.update(held.fields)
                if not value.holds and value.taints:
                    made.add(attributes.element_of(value))
                continue
            key = self.evaluate(key_node)
            if key.exact and len(key.constants) == 1:
                made.fields[(key.constants[0],)] = value
                if isinstance(key.constants[0], str):
                    self._analysis.observer.on_assignment(self._analysis, value_node, key.constants[0], value)
            else:
                made.add(value)
        return holding(made)

    def _eval_listcomp(self, node: _Comprehension) -> Value:
        outer = self._state.copy()
        empty, some = NO_FACTS, NO_FACTS
        items: set[Lineage] = set()
        for generator in node.generators:
            element = attributes.element_of(self.evaluate(generator.iter))
            items |= {taint.lineage for taint in element.all_taints()}
            assign(self._analysis, generator.target, element)
            for test in generator.ifs:
                tested = self.evaluate(test)
                self._state.facts |= tested.when_true
                some |= tested.when_true if conditions.affirms(test) else NO_FACTS
                empty |= element_facts(tested.when_false)
        kind = {"ListComp": "list", "SetComp": "set", "DictComp": "dict"}.get(type(node).__name__, "generator")
        if isinstance(node, ast.DictComp):
            self.evaluate(node.key)
            value = self.evaluate(node.value)
        else:
            value = self.evaluate(node.elt)
            if kind == "generator" and conditions.affirms(node.elt):
                some |= value.when_true  # ``any`` of a generator is true if one of its items is.
        made = Held(kind, element=value.baked(self._state.facts), depth=self._analysis.depth)
        self._state.become(outer)
        alone = len(node.generators) == 1 and len(node.generators[0].ifs) == 1
        return holding(made).with_(when_true=without_items(some, items), when_false=empty if alone else NO_FACTS)

    _eval_setcomp = _eval_listcomp
    _eval_generatorexp = _eval_listcomp
    _eval_dictcomp = _eval_listcomp
