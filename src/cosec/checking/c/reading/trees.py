"""Syntax trees of C: the parser, and a walk that no depth of nesting stops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree


COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
"""Operators that compare."""

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""Operators that compare -> the operator that says the same with the sides exchanged."""

LOOPS = frozenset({"while_statement", "for_statement", "do_statement"})
"""Types of the nodes that are loops."""


def tree_of(data: bytes) -> Tree:
    """Parse a text; unreadable parts become error nodes of the tree."""
    return _parser().parse(data)


def nodes_of(node: Node) -> Iterator[Node]:
    """Iterate over the node and its descendants in source order."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.children)


@cache
def _parser() -> Parser:
    import tree_sitter_c
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_c.language()))


def loops_around(node: Node) -> Iterator[Node]:
    """Iterate over the loops that a node stands in, from the innermost one."""
    at = node.parent
    while at is not None:
        if at.type in LOOPS:
            yield at
        at = at.parent


def is_written(node: Node) -> bool:
    """Tell whether an element of an array, or a member of it, is assigned to."""
    at = node
    while at.parent is not None and at.parent.type in ("subscript_expression", "field_expression"):
        if at.parent.child_by_field_name("argument") != at:
            return False
        at = at.parent
    if at.parent is None:
        return False
    if at.parent.type == "update_expression":
        return True
    return at.parent.type == "assignment_expression" and at.parent.child_by_field_name("left") == at


def takes_address(node: Node) -> bool:
    """Tell whether only the address of an element or a member is taken: ``&array[i]``, ``&struct->member.part``."""
    at = node
    while at.parent is not None and at.parent.type in ("field_expression", "parenthesized_expression"):
        if any(one.type == "->" for one in at.parent.children):
            return False
        at = at.parent
    parent = at.parent
    return parent is not None and parent.type == "pointer_expression" and parent.children[0].type == "&"
