"""Checks of C pointers that come too late: a pointer that was dereferenced is compared with NULL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.indices import IndexFlow
from cosec.checking.c.reading.syntax import bare, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_LEAVES = frozenset({"return_statement", "goto_statement", "break_statement", "continue_statement"})


class LateChecks(IndexFlow):
    """Remembers where pointers are dereferenced, and compares this with the conditions that come after."""

    def dereferenced(self, name: str, node: Node, state: dict[str, Facts]) -> None:
        """Note where a variable of the function is dereferenced before anything tests it."""
        facts = state.get(name, Facts())
        if facts.used_at == 0 and self.types.is_local(name):
            state[name] = replace(facts, used_at=node.start_byte)

    def decide(self, node: Node, state: dict[str, Facts]) -> None:
        """Report the first dereference of a pointer that an ``if`` statement refuses to be NULL."""
        if not _leaves(node.child_by_field_name("consequence")):
            return
        condition = node.child_by_field_name("condition")
        parts = list(walk(condition)) if condition is not None else []
        set_here = {text(one.child_by_field_name("left")) for one in parts if one.type == "assignment_expression"}
        for name in set(self._refused(condition)) - set_here:
            used_at = state.get(name, Facts()).used_at
            used = self.function.descendant_for_byte_range(used_at, used_at) if used_at > 0 else None
            if used is not None:
                why = f"{name} is used here, and compared with NULL later."
                self.report(used, "c/null-dereference", why, "warning")

    def _refused(self, condition: Node | None) -> Iterator[str]:
        """Return the pointers that lead into the branch if they are NULL."""
        if condition is None:
            return
        node = bare(condition)
        if text(node.child_by_field_name("operator")) == "||":
            yield from self._refused(node.child_by_field_name("left"))
            yield from self._refused(node.child_by_field_name("right"))
            return
        tested, null = self.null_test(node, True)
        if tested is not None and null:
            yield text(tested)


def _leaves(branch: Node | None) -> bool:
    """Tell whether a branch ends by leaving the function or the loop."""
    if branch is not None and branch.type == "compound_statement":
        branch = branch.named_children[-1] if branch.named_children else None
    return branch is not None and branch.type in _LEAVES
