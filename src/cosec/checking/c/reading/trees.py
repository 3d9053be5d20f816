"""Syntax trees of C: the parser, and a walk that no depth of nesting stops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree


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
