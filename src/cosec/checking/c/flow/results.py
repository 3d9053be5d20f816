"""Where the pointers that the local functions of a C file return point to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Unit, bare, origin, parameters, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def into(unit: Unit) -> dict[str, tuple[int, str]]:
    """Return the functions that return a pointer into the memory of a parameter, or of a member of a parameter.

    Name -> the parameter's place, and the member, empty for the memory of the parameter itself. NULL may be returned
    too.
    """
    found = {}
    for name, function in unit.functions.items():
        given = [one.name for one in parameters(function)]
        pointers = {one.name for one in parameters(function) if text(one.declarator).count("*") == 1}
        roots = {_root(one) for one in returned(function) if unit.constant(one) != 0}
        root, member = next(iter(roots)) if len(roots) == 1 else ("", "")
        if root in pointers and all(_stays_within(one, root) for one in walk(function)):
            found[name] = given.index(root), member
    return found


def alternatives(value: Node) -> Iterator[Node]:
    """Iterate over the values that an expression may have: both of ``test ? one : other``."""
    value = bare(value)
    yes, no = value.child_by_field_name("consequence"), value.child_by_field_name("alternative")
    if value.type != "conditional_expression" or yes is None or no is None:
        yield value
        return
    yield from alternatives(yes)
    yield from alternatives(no)


def returned(function: Node) -> Iterator[Node]:
    """Iterate over the values that a function returns, each side of a conditional by itself."""
    for one in walk(function):
        if one.type == "return_statement" and one.named_children:
            yield from alternatives(one.named_children[0])


def _root(value: Node) -> tuple[str, str]:
    """Return the variable into whose memory a value points, and the member if it points into that of a member."""
    pointer = origin(value)
    struct = pointer.child_by_field_name("argument") if pointer is not None else None
    if pointer is None or struct is None:
        return text(pointer), ""
    through = text(pointer.child_by_field_name("operator")) == "->"
    return (text(struct), text(pointer.child_by_field_name("field"))) if through else ("", "")


def _stays_within(node: Node, pointer: str) -> bool:
    """Tell whether a statement does not set a pointer to other memory."""
    if node.type in ("assignment_expression", "init_declarator"):
        left = node.child_by_field_name("left") or node.child_by_field_name("declarator")
        right = node.child_by_field_name("right")
        moves = text(node.child_by_field_name("operator")) in ("+=", "-=")
        return text(left).lstrip("* ") != pointer or moves or (right is not None and text(origin(right)) == pointer)
    return not (node.type == "pointer_expression" and text(node) == f"&{pointer}")
