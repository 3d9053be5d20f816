"""Members of structs that the local functions of a C file release or set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.flow.library_memory import RELEASES
from cosec.checking.c.flow.summaries import always_run
from cosec.checking.c.reading.syntax import Unit, arguments, bare, called, parameters, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node


class Members:
    """What the local functions do with the members of the structs that they are given."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._may_set: dict[tuple[str, int, str], bool] = {}
        self._released: dict[str, frozenset[tuple[int, str]]] = {}
        for name in unit.functions:
            self._released[name] = frozenset(
                (place, member) for place, member in self._released_by(name) if not self.may_set(name, place, member)
            )

    def released(self, name: str) -> frozenset[tuple[int, str]]:
        """Return the members that a function always releases and does not set: the argument's place, the member."""
        return self._released.get(name, frozenset())

    def may_set(self, name: str, place: int, member: str) -> bool:
        """Tell whether a function may give a new value to a member of the struct at an argument's place."""
        key = name, place, member
        if key not in self._may_set:
            self._may_set[key] = self._sets(name, place, member)
        return self._may_set[key]

    def _sets(self, name: str, place: int, member: str) -> bool:
        function = self._unit.functions.get(name)
        if function is None:
            return name not in RELEASES
        given = [one.name for one in parameters(function)]
        struct = given[place] if place < len(given) else ""
        return any(_may_set(node, struct, member) for node in walk(function))

    def _released_by(self, name: str) -> set[tuple[int, str]]:
        function = self._unit.functions[name]
        body, names = function.child_by_field_name("body"), [one.name for one in parameters(function)]
        found = set()
        for statement in always_run(body) if body is not None else ():
            call = next(iter(statement.named_children), None) if statement.type == "expression_statement" else None
            given = arguments(call) if call is not None and called(call) in RELEASES else []
            member = bare(given[0]) if given else None
            if member is None or member.type != "field_expression":
                continue
            struct = text(member.child_by_field_name("argument"))
            if struct in names and text(member.child_by_field_name("operator")) == "->":
                found.add((names.index(struct), text(member.child_by_field_name("field"))))
        return found


def _may_set(node: Node, struct: str, member: str) -> bool:
    if node.type == "assignment_expression":
        left = bare(node.child_by_field_name("left") or node)
        whole = left.type == "pointer_expression" and struct in text(left)
        return whole or text(left.child_by_field_name("field")) == member
    if node.type != "call_expression" or called(node) in RELEASES:
        return False
    return any(text(bare(one)) in (struct, f"&{struct}->{member}") for one in arguments(node))
