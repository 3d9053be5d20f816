"""What the local functions of a C file may do to the memory of their arguments: move it, or release it at times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cosec.checking.c.flow.library_memory import REALLOCS, RELEASES
from cosec.checking.c.reading.syntax import Unit, arguments, bare, called, parameters, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

DEPTH = 3
"""How many local functions, one calling the next, are followed to a call that moves or frees memory."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A parameter that a function frees under a condition."""

    told: bool
    """Whether the result may tell the caller that it was freed."""

    counted: bool
    """Whether the condition looks at the parameter itself, as one that counts references does."""

    members: frozenset[str]
    """The members that the condition looks at."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What local functions may do to the memory of their arguments."""

    moved: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    """Name -> places of structs, each with a member whose memory it may release and replace."""

    reallocated: dict[str, int] = field(default_factory=dict)
    """Name -> the place of the argument that it gives to ``realloc``, whose result it returns."""

    dropped: dict[str, dict[int, Drop]] = field(default_factory=dict)
    """Name -> places of the arguments that it frees under a condition."""


def effects(unit: Unit, freed: dict[str, set[int]]) -> Effects:
    """Look at every function of a file; ``freed`` has the places of the arguments that each always frees."""
    moved: dict[str, set[tuple[int, str]]] = {}
    for _ in range(DEPTH):
        for name, function in unit.functions.items():
            moved.setdefault(name, set()).update(_moved(function, moved))
    reallocated = {
        name: place for name, one in unit.functions.items() if (place := _reallocated(unit, one)) is not None
    }
    dropped = {
        name: dict(_dropped(function, freed, freed.get(name, set()))) for name, function in unit.functions.items()
    }
    return Effects(moved, reallocated, dropped)


def _calls(function: Node) -> Iterator[Node]:
    return (one for one in walk(function) if one.type == "call_expression")


def _fixed_parameters(function: Node) -> dict[str, int]:
    """Return the parameters that keep their values -> their places."""
    new = {text(one.child_by_field_name("left")) for one in walk(function) if one.type == "assignment_expression"}
    new |= {text(one.child_by_field_name("argument")) for one in walk(function) if one.type == "update_expression"}
    return {one.name: place for place, one in enumerate(parameters(function)) if one.name and one.name not in new}


def _moved(function: Node, known: dict[str, set[tuple[int, str]]]) -> Iterator[tuple[int, str]]:
    given = _fixed_parameters(function)
    assigned = [one for one in walk(function) if one.type == "assignment_expression"]
    for call in _calls(function):
        passed = arguments(call)
        for place, member in known.get(called(call), ()):
            if place < len(passed) and text(bare(passed[place])) in given:
                yield given[text(bare(passed[place]))], member
        pointer = bare(passed[0]) if passed and called(call) in REALLOCS | RELEASES else None
        if pointer is None or pointer.type != "field_expression" or "->" not in text(pointer):
            continue
        struct = text(pointer.child_by_field_name("argument"))
        later = (one for one in assigned if one.end_byte > call.start_byte and one.named_children[-1].type != "null")
        if struct in given and any(text(one.child_by_field_name("left")) == text(pointer) for one in later):
            yield given[struct], text(pointer.child_by_field_name("field"))


def _reallocated(unit: Unit, function: Node) -> int | None:
    """Return the place of the parameter whose memory a function moves, if it returns the new place."""
    given = _fixed_parameters(function)
    values = [one.named_children[0] for one in walk(function) if one.type == "return_statement" and one.named_children]
    found = {_moved_parameter(function, bare(one)) for one in values if unit.constant(one) != 0}
    name = next(iter(found)) if len(found) == 1 else ""
    return given.get(name)


def _moved_parameter(function: Node, value: Node) -> str:
    """Return the name of the pointer that ``realloc`` was given to compute a value; empty if it was not."""
    if value.type == "identifier":
        set_here = (one for one in walk(function) if one.type in ("assignment_expression", "init_declarator"))
        sources = [
            one.child_by_field_name("right") or one.child_by_field_name("value")
            for one in set_here
            if text(one.named_children[0]).lstrip("* ") == text(value)
        ]
        value = bare(sources[0]) if len(sources) == 1 and sources[0] is not None else value
    given = arguments(value)
    return text(bare(given[0])) if called(value) in REALLOCS and given else ""


def _dropped(function: Node, freed: dict[str, set[int]], always: set[int]) -> Iterator[tuple[int, Drop]]:
    given = _fixed_parameters(function)
    void = text(function.child_by_field_name("type")) == "void" and "*" not in text(function).split("(")[0]
    numbers = {one.name for one in parameters(function) if "*" not in text(one.declarator)}
    for call in _calls(function):
        released = freed.get(called(call)) or ({0} if called(call) == "free" else set())
        for place, argument in enumerate(arguments(call)):
            name = text(bare(argument))
            if place not in released or name not in given or given[name] in always:
                continue
            conditions = list(_conditions(call, function))
            parts = [one for condition in conditions for one in walk(condition)]
            named = {text(one) for one in parts if one.type == "identifier"}
            if conditions and not named & numbers:
                told = not void and _is_told(call)
                members = frozenset(text(one) for one in parts if one.type == "field_identifier")
                yield given[name], Drop(told, name in named, members)


def _conditions(node: Node, function: Node) -> Iterator[Node]:
    """Iterate over the conditions that decide whether a statement of a function is reached."""
    at: Node | None = node
    while at is not None and at != function:
        before = at.prev_named_sibling
        while before is not None and at.type != "case_statement":
            if before.type == "if_statement" and any(one.type == "return_statement" for one in walk(before)):
                yield before.child_by_field_name("condition") or before
            before = before.prev_named_sibling
        at = at.parent
        if at is not None and (condition := at.child_by_field_name("condition")) is not None:
            yield condition


def _is_told(call: Node) -> bool:
    """Tell whether a function returns right after a call, so that its result may stand for it."""
    at: Node | None = call
    while at is not None and at.type != "if_statement":
        at = at.parent
    branch = at.child_by_field_name("consequence") if at is not None else None
    return branch is None or any(one.type == "return_statement" for one in walk(branch))
