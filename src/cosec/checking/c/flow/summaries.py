"""What the local functions of a C file do with their parameters and return."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cosec.checking.c.flow.effects import DEPTH, Effects, effects
from cosec.checking.c.flow.library_memory import RELEASES
from cosec.checking.c.flow.results import into, returned
from cosec.checking.c.reading.syntax import Unit, arguments, bare, called, literal, parameters, text, walk
from cosec.checking.c.reading.trees import COMPARISONS

if TYPE_CHECKING:
    from tree_sitter import Node

ENDS = frozenset({"exit", "abort", "_exit", "err", "errx", "die", "fatal", "perror_exit", "longjmp", "quick_exit"})
"""Functions that do not return."""

ENDING_NAMES = re.compile(r"(^|_)(die|fatal\w*|panic|croak|quit|bail|bailout|abort|usage|sh_error|error_exit)$")
"""Names of functions of other files that usually do not return."""

_NULL_TESTS = re.compile(r"\(\s*(!\s*\w+|\w+\s*==\s*(NULL|0))\s*\)")
_TESTS = re.compile(r"\(\s*(?P<tested>\w+((->|\.)\w+)*)\s*(!=\s*(NULL|0)\s*)?\)")


@dataclass(frozen=True, slots=True)
class Summaries:
    """What is known of the local functions."""

    freed: dict[str, set[int]]
    """Name -> places of the arguments that it always frees."""

    nullable: frozenset[str]
    """Names of the functions that return NULL on some path."""

    negative: frozenset[str]
    """Names of the functions that return a number or, on some path, a constant below 0."""

    unused: dict[str, set[int]]
    """Name -> places of the pointers whose memory it never touches."""

    into: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Name -> the argument or its member into whose memory it returns a pointer (`results.into`)."""

    effects: Effects = field(default_factory=Effects)
    """What they may do to the memory of their arguments."""

    def ignores(self, name: str, place: int, given: list[Node]) -> bool:
        """Tell whether a call does not touch the memory behind one of its arguments."""
        if place in self.unused.get(name, set()):
            return True
        if not name.endswith("printf"):
            return False
        at = next((number for number, one in enumerate(given) if literal(one) is not None), len(given))
        kinds = re.findall(r"%[-+ #0]*\d*([a-zA-Z%])", literal(given[at]) or "") if at < len(given) else []
        kinds = [kind for kind in kinds if kind != "%"]
        return at < place <= at + len(kinds) and kinds[place - at - 1] == "p"


def summaries(unit: Unit) -> Summaries:
    """Look at every function of a file."""
    freed = _freed(unit)
    return Summaries(freed, _nullable(unit), _negative(unit), _unused(unit), into(unit), effects(unit, freed))


def ending_functions(unit: Unit) -> frozenset[str]:
    """Return the local functions that do not return: the last thing they do is to end the program."""
    found: set[str] = set()
    for _ in range(2):
        for name, function in unit.functions.items():
            body = function.child_by_field_name("body")
            last = body.named_children[-1] if body is not None and body.named_children else None
            call = next(iter(last.named_children), None) if last is not None else None
            if call is None or last is None or last.type != "expression_statement":
                continue
            ends = called(call) in ENDS or called(call) in found
            if ends and not any(one.type == "return_statement" for one in walk(function)):
                found.add(name)
    return frozenset(found)


def _freed(unit: Unit) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for _ in range(DEPTH):
        for name, function in unit.functions.items():
            found.setdefault(name, set()).update(_freed_by(function, found))
    return {name: places for name, places in found.items() if places}


def _freed_by(function: Node, known: dict[str, set[int]]) -> Iterator[int]:
    """Iterate over the places of the parameters that a function always frees, by itself or through local functions."""
    body = function.child_by_field_name("body")
    names = [one.name for one in parameters(function)]
    for statement in always_run(body) if body is not None else ():
        call = next(iter(statement.named_children), None) if statement.type == "expression_statement" else None
        if call is None or call.type != "call_expression":
            continue
        released = known.get(called(call)) or ({0} if called(call) in RELEASES else set())
        for place, argument in enumerate(arguments(call)):
            if place in released and text(bare(argument)) in names:
                yield names.index(text(bare(argument)))


def always_run(block: Node) -> Iterator[Node]:
    """Iterate over the statements of a block, and over those that only depend on whether a pointer is NULL.

    Ends at a condition that may leave the block for another reason, such as a count of references.
    """
    for statement in block.named_children:
        condition, branch = statement.child_by_field_name("condition"), statement.child_by_field_name("consequence")
        if statement.type != "if_statement" or condition is None or branch is None:
            yield statement
        elif (test := _TESTS.fullmatch(text(condition))) and test["tested"] in text(branch):
            yield from branch.named_children if branch.type == "compound_statement" else [branch]
        elif not _NULL_TESTS.fullmatch(text(condition)) and any(
            one.type in ("return_statement", "goto_statement") for one in walk(statement)
        ):
            return


def _nullable(unit: Unit) -> frozenset[str]:
    return frozenset(
        name for name, function in unit.functions.items() if any(text(value) == "NULL" for value in returned(function))
    )


def _negative(unit: Unit) -> frozenset[str]:
    """Return the functions that return a constant below 0, as a search that found nothing does, and also a variable."""
    found = set()
    for name, function in unit.functions.items():
        values = [(one, unit.constant(one)) for one in returned(function)]
        if any(one.type == "identifier" and value is None for one, value in values):
            found |= {name for _, value in values if value is not None and value < 0}
    return frozenset(found)


def _unused(unit: Unit) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for name, function in unit.functions.items():
        body = function.child_by_field_name("body")
        if body is None:
            continue
        mentions: dict[str, list[Node]] = {}
        for node in walk(body):
            if node.type == "identifier":
                mentions.setdefault(text(node), []).append(node)
        places = {
            place
            for place, one in enumerate(parameters(function))
            if all(_is_bare_mention(node) for node in mentions.get(one.name, ()))
        }
        if places:
            found[name] = places
    return found


def _is_bare_mention(node: Node) -> bool:
    """Tell whether a pointer is only cast to void, compared, or printed as an address."""
    parent = node.parent
    while parent is not None and parent.type == "parenthesized_expression":
        node, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type == "cast_expression":
        return text(parent.child_by_field_name("type")) == "void" or _is_bare_mention(parent)
    if parent.type == "binary_expression":
        return text(parent.child_by_field_name("operator")) in COMPARISONS
    if parent.type in ("if_statement", "while_statement"):
        return True
    if parent.type == "argument_list" and parent.parent is not None:
        given = arguments(parent.parent)
        place = next((number for number, one in enumerate(given) if one == node), -1)
        return Summaries({}, frozenset(), frozenset(), {}).ignores(called(parent.parent), place, given)
    return parent.type == "unary_expression"
