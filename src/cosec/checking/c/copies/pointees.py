"""What the pointers of a C function point to, if it is known at every place where they are set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import bare, parameters, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def pointees(function: Node) -> dict[str, list[Node]]:
    """Map pointers to all that they are set to; parameters and pointers that something else sets are left out."""
    found: dict[str, list[Node]] = {}
    unknown = {one.name for one in parameters(function)}
    for node in walk(function):
        if node.type in ("init_declarator", "assignment_expression"):
            _set(node, found, unknown)
        elif _changes(node):
            unknown.add(text(node.child_by_field_name("argument")))
    return {name: values for name, values in found.items() if name not in unknown}


def _set(node: Node, found: dict[str, list[Node]], unknown: set[str]) -> None:
    target = node.child_by_field_name("declarator") or node.child_by_field_name("left")
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    if target is None or value is None or target.type in ("subscript_expression", "field_expression"):
        return
    if text(bare(value)) == "NULL" or (node.type == "assignment_expression" and text(target).startswith("*")):
        return
    operator = text(node.child_by_field_name("operator"))
    if operator in ("", "="):
        found.setdefault(text(target).lstrip("* "), []).append(value)
    elif operator != "+=":
        unknown.add(text(target))


def _changes(node: Node) -> bool:
    """Tell whether an expression takes a variable's address or counts it down."""
    taken = node.type == "pointer_expression" and text(node).startswith("&")
    return taken or (node.type == "update_expression" and "--" in text(node))
