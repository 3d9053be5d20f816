"""What a C function releases, memory and files, and what it uses afterwards."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.late_checks import LateChecks
from cosec.checking.c.flow.members import Members
from cosec.checking.c.reading.syntax import arguments, bare, called, origin, text, walk, words

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity

_REALLOCS = frozenset({"realloc", "reallocarray"})
_INTO_ARGUMENT = words("dirname basename strchr strrchr strstr strcasestr strpbrk strchrnul memchr index rindex strtok")
_INTO_ARGUMENT |= words("strtok_r strcpy strcat strncpy strncat stpcpy fgets")
"""Library functions that return a pointer into their first argument."""


class Releases(LateChecks):
    """Follows what was released through one function."""

    members: Members
    into: dict[str, int]
    """Local functions that return a pointer into one of their arguments -> its place."""

    def after_free(self, node: Node, message: str, facts: Facts) -> None:
        """Report a use of memory that was freed.

        Where it was freed in an earlier turn of a loop, and a condition decides about the use, both may exclude each
        other. They do if the condition tests what is cleared after the memory was freed.
        """
        if node.start_byte <= facts.freed_at and self._cleared_after(facts.freed_at) & self._conditions_of(node):
            return
        guarded = False
        at: Node | None = node
        while at is not None and not at.start_byte <= facts.freed_at < at.end_byte:
            guarded = guarded or (at.parent is not None and at.parent.type == "if_statement")
            at = at.parent
        level: Severity = "warning" if guarded and node.start_byte < facts.freed_at else "error"
        self.report(node, "c/use-after-free", message, level)

    def _cleared_after(self, place: int) -> set[str]:
        """Return the variables that the block around a place sets to 0 after it."""
        block = self.function.descendant_for_byte_range(place, place)
        while block is not None and block.type != "compound_statement":
            block = block.parent
        return {
            text(one.child_by_field_name("left"))
            for one in (walk(block) if block is not None else ())
            if one.type == "assignment_expression"
            and one.start_byte > place
            and text(bare(one.named_children[-1])) in ("NULL", "0", "false", "FALSE")
        }

    def _conditions_of(self, node: Node) -> set[str]:
        """Return the variables in the conditions of the ``if`` statements around an expression."""
        conditions = []
        at: Node | None = node
        while at is not None and at != self.function:
            condition = at.child_by_field_name("condition") if at.type == "if_statement" else None
            conditions += [condition] if condition is not None else []
            at = at.parent
        return {text(one) for condition in conditions for one in walk(condition)}

    def returned(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at what a function returns: its caller would use memory that was freed."""
        value = bare(node.named_children[0]) if node.named_children else None
        facts = state.get(text(value), Facts())
        if value is not None and value.type in ("identifier", "field_expression") and facts.freed:
            self.after_free(node, f"{text(value)} is returned after it was {self.how(facts)}.", facts)

    def how(self, facts: Facts) -> str:
        """Return the word for what happened to a pointer that was released."""
        at = self.function.descendant_for_byte_range(facts.freed_at, facts.freed_at)
        return "closed" if "close" in text(at) else "freed"

    def release(self, key: str, node: Node, state: dict[str, Facts]) -> None:
        """Take in that what a pointer points to was released."""
        for alias in self._same_as(key, state):
            state[alias] = Facts(freed=True, freed_at=node.start_byte)
        state[key] = Facts(freed=True, freed_at=node.start_byte)
        self.forget(key, state)

    def _same_as(self, key: str, state: dict[str, Facts]) -> list[str]:
        """Return the other names of what a pointer points to."""
        root = state.get(key, Facts()).same or key
        return [
            name
            for name in {root, *state}
            if name != key and (name == root or state[name].same == root or _is_within(state[name], root))
        ]

    def within(self, value: Node, state: dict[str, Facts]) -> str:
        """Return the pointer into whose memory the result of a call points, as that of ``strchr`` does; empty if none.

        A later part of a text, ``strtok(NULL, …)``, lies in the memory of the first one.
        """
        call, name = bare(value), called(bare(value))
        given = arguments(call)
        place = 0 if name in _INTO_ARGUMENT else self.into.get(name, len(given))
        if place >= len(given):
            return ""
        if name.startswith("strtok") and self.unit.constant(given[0]) == 0:
            calls = [one for one in walk(self.function) if called(one) == name and arguments(one)]
            first = [arguments(one)[0] for one in calls if self.unit.constant(arguments(one)[0]) != 0]
            given = first if len(first) == 1 else []
        into = text(origin(given[place])) if given else ""
        facts = state.get(into, Facts())
        return facts.within or facts.same or into

    def forget(self, name: str, state: dict[str, Facts]) -> None:
        """Forget the expressions in which a variable occurs that has a new value."""
        for other in [one for one in state if len(one) > len(name) and name in one]:
            if re.search(rf"(?<![\w>.]){re.escape(name)}(?!\w)", other):
                del state[other]
        held = re.compile(rf"{re.escape(name)}(?!\w)")
        for other, facts in list(state.items()):
            if other != name and (held.match(facts.same) or held.match(facts.within)):
                same, within = ("" if held.match(one) else one for one in (facts.same, facts.within))
                state[other] = replace(facts, same=same, within=within)

    def moved(self, call: Node, name: str, state: dict[str, Facts]) -> str:
        """Take in ``name = realloc(old, n)``; return the old pointer, which is freed if the call succeeds."""
        given = arguments(call)
        if called(call) not in _REALLOCS or not given or bare(given[0]).type not in ("identifier", "field_expression"):
            return ""
        old = text(bare(given[0]))
        if self.unit.constant(given[0]) == 0:
            return ""
        for one in self._same_as(old, state):
            if one != name:
                state[one] = Facts(freed=True, freed_at=call.start_byte)
        if old == name:
            return ""
        state[old] = Facts(freed=True, freed_at=call.start_byte)
        self.forget(old, state)
        return old

    def release_members(self, node: Node, name: str, given: list[Node], state: dict[str, Facts]) -> None:
        """Take in a call that is given a struct: its members may have new values, or be released."""
        released = self.members.released(name)
        for place, argument in enumerate(given):
            struct = bare(argument)
            address = struct.type == "pointer_expression" and text(struct).startswith("&")
            base = f"{text(struct)[1:]}." if address else f"{text(struct)}->"
            if not (address or struct.type in ("identifier", "field_expression")):
                continue
            for other, facts in list(state.items()):
                if facts.same.startswith(base) or facts.within.startswith(base):
                    same, within = ("" if one.startswith(base) else one for one in (facts.same, facts.within))
                    state[other] = replace(facts, same=same, within=within)
                if facts.freed and other.startswith(base) and self.members.may_set(name, place, other[len(base) :]):
                    state[other] = replace(facts, freed=False)
            for member in (f"{base}{member}" for at, member in released if at == place):
                facts = state.get(member, Facts())
                if facts.freed:
                    self.after_free(node, f"{member} is {self.how(facts)} twice.", facts)
                self.release(member, node, state)


def _is_within(facts: Facts, root: str) -> bool:
    return facts.within == root and not facts.null
