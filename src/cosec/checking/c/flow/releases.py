"""What a C function releases, memory and files, and what it uses afterwards."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cosec.checking.c.flow.aliases import Aliases
from cosec.checking.c.flow.effects import Effects
from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.library_memory import REALLOCS, WHOLE_RELEASES
from cosec.checking.c.flow.results import alternatives
from cosec.checking.c.reading.syntax import arguments, bare, called, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity


class Releases(Aliases):
    """Follows what was released through one function."""

    effects: Effects

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
        level: Severity = "error"
        if facts.possibly or (guarded and node.start_byte < facts.freed_at):
            level = "warning"
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
        for value in alternatives(node.named_children[0]) if node.named_children else ():
            facts = state.get(text(value), Facts())
            if value.type in ("identifier", "field_expression") and facts.freed:
                self.after_free(node, f"{text(value)} is returned after it was {self.how(facts)}.", facts)

    def how(self, facts: Facts) -> str:
        """Return the word for what happened to a pointer that was released."""
        at = self.function.descendant_for_byte_range(facts.freed_at, facts.freed_at)
        word = "closed" if "close" in text(at) else "freed"
        return f"possibly {word}" if facts.possibly else word

    def release(self, key: str, node: Node, state: dict[str, Facts]) -> None:
        """Take in that what a pointer points to was released."""
        gone = self.same_as(key, state)
        if called(node) in WHOLE_RELEASES:
            gone += self.read_from(key, state)
        for alias in gone:
            state[alias] = Facts(freed=True, freed_at=node.start_byte)
        state[key] = Facts(freed=True, freed_at=node.start_byte)
        self.forget(key, state)

    def moved(self, call: Node, name: str, state: dict[str, Facts]) -> str:
        """Take in ``name = realloc(old, n)``; return the old pointer, which is freed if the call succeeds."""
        given = arguments(call)
        place = 0 if called(call) in REALLOCS else self.effects.reallocated.get(called(call), len(given))
        if place >= len(given) or bare(given[place]).type not in ("identifier", "field_expression"):
            return ""
        old = text(bare(given[place]))
        if self.unit.constant(given[place]) == 0:
            return ""
        for one in self.same_as(old, state):
            if one != name:
                state[one] = Facts(freed=True, freed_at=call.start_byte)
        if old == name:
            return ""
        state[old] = Facts(freed=True, freed_at=call.start_byte)
        self.forget(old, state)
        return old

    def moves(self, node: Node, name: str, given: list[Node], state: dict[str, Facts]) -> None:
        """Take in a call of a local function that may move what members of its arguments point to."""
        for place, member in self.effects.moved.get(name, ()):
            struct = text(bare(given[place])) if place < len(given) else ""
            key = f"{struct[1:]}.{member}" if struct.startswith("&") else f"{struct}->{member}"
            for alias in self.same_as(key, state) if struct else ():
                state[alias] = Facts(freed=True, freed_at=node.start_byte, possibly=True)

    def drops(self, node: Node, name: str, given: list[Node], state: dict[str, Facts]) -> None:
        """Take in a call of a local function that frees an argument under a condition that the caller does not know."""
        ignored = node.parent is not None and node.parent.type == "expression_statement"
        if ignored:
            self.moved(node, "", state)
        for place, drop in self.effects.dropped.get(name, {}).items():
            pointer = text(given[place]) if place < len(given) and given[place].type == "identifier" else ""
            if not pointer or (drop.told and not ignored) or (drop.counted and pointer in self.parameters):
                continue
            if self._is_shared(pointer, node) or drop.members & self._tested_members:
                continue
            state[pointer] = Facts(freed=True, freed_at=node.start_byte, possibly=True)

    def _is_shared(self, pointer: str, call: Node) -> bool:
        """Tell whether something else may hold what a pointer points to before a call: it was passed on or stored."""
        for one in walk(self.function):
            if one.type != "identifier" or text(one) != pointer or one.start_byte >= call.start_byte:
                continue
            whole, parent = one, one.parent
            while parent is not None and parent.type in ("field_expression", "parenthesized_expression"):
                whole, parent = parent, parent.parent
            kind = parent.type if parent is not None else ""
            if kind == "update_expression" or (whole == one and kind in ("argument_list", "return_statement")):
                return True
            if parent is not None and whole == one and parent.child_by_field_name("right") == one and kind[0] == "a":
                return True
        return False

    @cached_property
    def _tested_members(self) -> set[str]:
        """The members in the conditions of the function."""
        conditions = (one.child_by_field_name("condition") for one in walk(self.function))
        parts = (part for one in conditions if one is not None for part in walk(one))
        return {text(one) for one in parts if one.type == "field_identifier"}

    def release_members(self, node: Node, name: str, given: list[Node], state: dict[str, Facts]) -> None:
        """Take in a call that is given a struct: its members may have new values, or be released."""
        released = self.members.released(name)
        for place, argument in enumerate(given):
            struct = bare(argument)
            address = struct.type == "pointer_expression" and text(struct).startswith("&")
            base = f"{text(struct)[1:]}." if address else f"{text(struct)}->"
            if not (address or struct.type in ("identifier", "field_expression")):
                continue
            self.forget_members(base, name, place, state)
            for member in (f"{base}{member}" for at, member in released if at == place):
                facts = state.get(member, Facts())
                if facts.freed:
                    self.after_free(node, f"{member} is {self.how(facts)} twice.", facts)
                self.release(member, node, state)
