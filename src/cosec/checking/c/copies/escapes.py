"""Loops of C over a text that skip the letter behind a backslash or another sign: it may be the end of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.expressions import conjuncts, depends
from cosec.checking.c.reading.syntax import Report, Unit, arguments, bare, text, walk
from cosec.checking.c.reading.trees import LOOPS

if TYPE_CHECKING:
    from tree_sitter import Node

_READ = "c/out-of-bounds-read"
_CHOICES = LOOPS | {"if_statement", "switch_statement", "conditional_expression"}
_NULS = frozenset({r"'\0'", r"'\x00'", r"'\000'"})
_LEAVES = frozenset({"break_statement", "return_statement", "goto_statement"})


def look(unit: Unit, function: Node, report: Report) -> None:
    """Look at every loop that ends where a text ends."""
    for loop in walk(function):
        condition = loop.child_by_field_name("condition") if loop.type in ("while_statement", "for_statement") else None
        body = loop.child_by_field_name("body")
        if condition is None or body is None:
            continue
        for element in _ended_by(unit, bare(condition)):
            counter = _counter(element)
            if counter and not _mentions(condition, counter, element):
                _leaps(unit, body, element, counter, report)
                for choice in body.named_children if body.type == "compound_statement" else ():
                    if choice.type == "if_statement":
                        _skips(unit, loop, choice, element, counter, report)


def _skips(unit: Unit, loop: Node, choice: Node, element: str, counter: str, report: Report) -> None:
    """Report a branch for one letter after which the loop goes on behind the next letter, whatever that is."""
    condition, branch = choice.child_by_field_name("condition"), choice.child_by_field_name("consequence")
    if condition is None or branch is None or not _is_letter(unit, condition, element):
        return
    if _mentions(condition, counter, element):
        return
    steps = _steps(unit, branch, counter)
    at, update = choice.next_named_sibling, loop.child_by_field_name("update")
    if any(one.type == "continue_statement" for one in walk(branch)):
        at = None
    while steps is not None and steps < 2 and at is not None:
        more = _steps(unit, at, counter)
        steps, at = (steps + more if more is not None else None), at.next_named_sibling
    if steps is not None and steps < 2 and update is not None:
        more = _steps(unit, update, counter)
        steps = steps + more if more is not None else None
    if steps is not None and steps >= 2 and _steps(unit, branch, counter):
        why = f"The letter after {text(bare(condition))} may be the terminating NUL, and the loop goes on behind it."
        report(branch, _READ, why, "warning")


def _leaps(unit: Unit, body: Node, element: str, counter: str, report: Report) -> None:
    """Report a step over two letters where one is a certain letter, if it is all that a loop does with a place."""
    moves = [one for one in walk(body) if one.type in ("assignment_expression", "update_expression")]
    moves = [one for one in moves if counter in (text(one.named_children[0]), text(one.child_by_field_name("left")))]
    choice = bare(moves[0].child_by_field_name("right") or moves[0]) if len(moves) == 1 else body
    condition, step = choice.child_by_field_name("condition"), choice.child_by_field_name("consequence")
    if choice.type != "conditional_expression" or condition is None or step is None:
        return
    if text(moves[0].child_by_field_name("operator")) != "+=" or (unit.constant(step) or 0) < 2:
        return
    if _is_letter(unit, condition, element) and not _mentions(condition, counter, element):
        why = f"The letter after {text(bare(condition))} may be the terminating NUL, and the loop goes on behind it."
        report(moves[0], _READ, why, "warning")


def _ended_by(unit: Unit, condition: Node) -> Iterator[str]:
    """Iterate over the letters at whose being NUL a loop ends: ``*p``, ``text[i]``."""
    for part in conjuncts(condition):
        left, right = part.child_by_field_name("left"), part.child_by_field_name("right")
        operator = text(part.child_by_field_name("operator"))
        if operator == "!=" and left is not None and right is not None and unit.constant(right) == 0:
            yield text(bare(left))
        elif part.type in ("pointer_expression", "subscript_expression"):
            yield text(part)


def _counter(element: str) -> str:
    """Return the variable that says where in a text a letter is."""
    if element.startswith("*") and element[1:].isidentifier():
        return element[1:]
    array, _, rest = element.partition("[")
    index = rest.removesuffix("]")
    return index if array.isidentifier() and index.isidentifier() else ""


def _is_letter(unit: Unit, condition: Node, element: str) -> bool:
    """Tell whether a condition says that a letter is a certain one, and not NUL."""
    for one in walk(condition):
        if text(one.child_by_field_name("operator")) == "||":
            return False
        left, right = one.child_by_field_name("left"), one.child_by_field_name("right")
        if text(one.child_by_field_name("operator")) == "==" and left is not None and right is not None:
            letter = bare(right)
            if text(bare(left)) == element and letter.type == "char_literal" and text(letter) not in _NULS:
                return True
    return False


def _mentions(node: Node, counter: str, element: str) -> bool:
    """Tell whether an expression depends on a place in a text other than by the letter there."""

    def is_place(one: Node) -> bool:
        return one.type == "identifier" and text(one) == counter

    return depends(node, is_place, but_for=lambda one: text(one) == element)


def _steps(unit: Unit, node: Node, counter: str) -> int | None:
    """Return how far a statement moves on; None if it depends on a condition, leaves the loop, or sets the place."""
    total = 0
    for one in walk(node):
        if one.type in _LEAVES or (one.type in _CHOICES and any(text(part) == counter for part in walk(one))):
            return None
        if any(text(bare(part)) in (counter, f"&{counter}") for part in arguments(one)):
            return None
        name = text(one.child_by_field_name("argument") or one.child_by_field_name("left"))
        if name != counter or one.type not in ("update_expression", "assignment_expression"):
            continue
        right = one.child_by_field_name("right")
        step = 1 if right is None else unit.constant(right)
        if step is None or step < 0 or text(one.child_by_field_name("operator")) not in ("+=", "++"):
            return None
        total += step
    return total
