"""Parts of the expressions of C: what ``&&`` and ``||`` join, and what an expression depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import bare, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def conjuncts(condition: Node) -> Iterator[Node]:
    """Iterate over the parts of a condition that ``&&`` joins, in their order."""
    left, right = condition.child_by_field_name("left"), condition.child_by_field_name("right")
    if text(condition.child_by_field_name("operator")) == "&&" and left is not None and right is not None:
        yield from conjuncts(bare(left))
        yield from conjuncts(bare(right))
    else:
        yield condition


def tested_first(scope: Node) -> list[Node]:
    """Return the left sides of every ``&&`` and ``||`` at or below a node."""
    joined = (one for one in walk(scope) if text(one.child_by_field_name("operator")) in ("&&", "||"))
    return [left for one in joined if (left := one.child_by_field_name("left")) is not None]


def depends(node: Node, on: Callable[[Node], bool], *, but_for: Callable[[Node], bool]) -> bool:
    """Tell whether an expression has a part ``on`` that lies in none of the parts ``but_for``."""
    return not but_for(node) and (on(node) or any(depends(one, on, but_for=but_for) for one in node.children))
