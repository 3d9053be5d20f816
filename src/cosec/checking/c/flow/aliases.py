"""Which pointers of a C function point into the same memory, and out of which object each was read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.late_checks import LateChecks
from cosec.checking.c.flow.library_memory import INTO_ARGUMENT
from cosec.checking.c.flow.members import Members
from cosec.checking.c.flow.results import alternatives
from cosec.checking.c.reading.syntax import arguments, bare, called, declarations, origin, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_PARTS = frozenset({"field_expression", "subscript_expression", "pointer_expression"})


class Aliases(LateChecks):
    """Follows through one function which pointers belong together."""

    members: Members
    into: dict[str, tuple[int, str]]
    """Local functions that return a pointer into the memory of an argument or of its member (`results.into`)."""

    def same_as(self, key: str, state: dict[str, Facts]) -> list[str]:
        """Return the other names of what a pointer points to."""
        root = state.get(key, Facts()).same or key
        return [
            name
            for name in {root, *state}
            if name != key and (name == root or state[name].same == root or _is_within(state[name], root))
        ]

    def read_from(self, key: str, state: dict[str, Facts]) -> list[str]:
        """Return the pointers that were read out of an object, or out of something that was."""
        root = state.get(key, Facts()).same or key
        return [name for name, facts in state.items() if facts.owner in (key, root) and name in self._pointers]

    @cached_property
    def _pointers(self) -> set[str]:
        """The variables of the function that are declared as pointers."""
        return {name for _, name, one, _ in declarations(self.function) if one.type == "pointer_declarator"}

    def within(self, value: Node, state: dict[str, Facts]) -> str:
        """Return the pointer into whose memory the result of a call points, as that of ``strchr`` does; empty if none.

        A later part of a text, ``strtok(NULL, …)``, lies in the memory of the first one.
        """
        call, name = bare(value), called(bare(value))
        given = arguments(call)
        place, member = (0, "") if name in INTO_ARGUMENT else self.into.get(name, (len(given), ""))
        if place >= len(given):
            return ""
        if name.startswith("strtok") and self.unit.constant(given[0]) == 0:
            calls = [one for one in walk(self.function) if called(one) == name and arguments(one)]
            first = [arguments(one)[0] for one in calls if self.unit.constant(arguments(one)[0]) != 0]
            given = first if len(first) == 1 else []
        base = self._memory_of(given[place], state) if given else ""
        return self._root(f"{base}->{member}", state) if base and member else base

    def _memory_of(self, pointer: Node, state: dict[str, Facts]) -> str:
        """Return the pointer into whose memory an expression points."""
        if called(bare(pointer)):
            return self.within(pointer, state)
        return self._root(text(origin(pointer)), state)

    def _root(self, name: str, state: dict[str, Facts]) -> str:
        facts = state.get(name, Facts())
        return facts.within or facts.same or name

    def owner(self, value: Node, state: dict[str, Facts]) -> str:
        """Return the object out of whose memory, or of whose members' memory, a value is read; empty if none."""
        node, depth = bare(value), 0
        while node.type in _PARTS and (inner := node.child_by_field_name("argument")) is not None:
            node, depth = bare(inner), depth + 1
        facts = state.get(text(node), Facts())
        if node.type != "identifier" or facts.owner:
            return facts.owner
        return (facts.within or facts.same or text(node)) if depth else ""

    def related(self, name: str, value: Node, state: dict[str, Facts]) -> Facts:
        """Return to which other pointers a new value of a variable is related."""
        values = [one for one in alternatives(value) if self.unit.constant(one) != 0]
        if len(values) != 1:
            return Facts()
        same, owner = text(origin(values[0])), self.owner(values[0], state)
        same = "" if _mentions(name).search(same) else same  # what it named lies behind the old value
        within = self.within(values[0], state) or state.get(same, Facts()).within
        same = state.get(same, Facts()).same or same
        return Facts(same=same, within=within if within != name else "", owner=owner if owner != name else "")

    def forget(self, name: str, state: dict[str, Facts]) -> None:
        """Forget the expressions in which a variable occurs that has a new value."""
        for other in [one for one in state if len(one) > len(name) and name in one]:
            if _mentions(name).search(other):
                del state[other]
        held = re.compile(rf"{re.escape(name)}(?!\w)")
        for other in [one for one in state if one != name]:
            _unrelate(other, state, lambda one: held.match(one) is not None)

    def forget_members(self, base: str, call: str, place: int, state: dict[str, Facts]) -> None:
        """Take in a call that is given a struct, whose members may have new values then."""

        def is_new(path: str) -> bool:
            parts = re.split(r"->|\.|\[", path[len(base) :])
            return path.startswith(base) and any(self.members.may_set(call, place, one) for one in parts)

        for other, facts in list(state.items()):
            _unrelate(other, state, is_new)
            if facts.freed and other.startswith(base) and self.members.may_set(call, place, other[len(base) :]):
                state[other] = replace(state[other], freed=False)


def _mentions(name: str) -> re.Pattern[str]:
    """The occurrences of a variable or member in an expression."""
    return re.compile(rf"(?<![\w>.]){re.escape(name)}(?!\w)")


def _unrelate(name: str, state: dict[str, Facts], is_new: Callable[[str], bool]) -> None:
    """Drop the relations of a pointer to others that have new values."""
    facts = state[name]
    related = (facts.same, facts.within, facts.owner)
    kept = ["" if one and is_new(one) else one for one in related]
    if kept != list(related):
        state[name] = replace(facts, same=kept[0], within=kept[1], owner=kept[2])


def _is_within(facts: Facts, root: str) -> bool:
    return facts.within == root and not facts.null
