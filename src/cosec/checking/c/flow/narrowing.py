"""Numbers of a C function that are kept in variables too narrow for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.numbers import OVERFLOW, NumberFlow
from cosec.checking.c.reading.syntax import bare, called, text, walk
from cosec.checking.c.reading.types import INT

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity


class NarrowNumbers(NumberFlow):
    """Looks at the numbers that are stored in variables of at most 16 bits."""

    def kept(self, left: Node, name: str, right: Node, state: dict[str, Facts]) -> None:
        """Look at a number that is kept in a variable of at most 16 bits."""
        kind = self.types.variable(name)
        inner = bare(right)
        if kind is None or kind.bits > 16 or right.type == "cast_expression":
            return
        facts = self.facts(right, state)
        sized = name in self._sizes_of_blocks
        if sized and called(inner) == "strlen":
            self._narrows(left, name, right, "warning")
        operands = [inner.child_by_field_name(side) for side in ("left", "right")]
        operator = text(inner.child_by_field_name("operator"))
        if inner.type != "binary_expression" or operator not in ("+", "*", "-") or None in operands:
            return
        if any(text(bare(one)) in self._guarded for one in operands if one is not None):
            return
        if not (sized or facts.outside) or facts.bounded:
            return
        found = self._computed_range(inner, state)
        if found is not None and (found[1] > kind.high or (found[0] < kind.low and facts.outside)):
            self._narrows(left, name, right, "error" if facts.outside else "warning")

    def gathered(self, node: Node, name: str, right: Node) -> None:
        """Look at ``name += strlen(text)``, where a variable of at most 16 bits gathers the size of a block."""
        kind = self.types.variable(name)
        if kind is None or kind.bits > 16 or name not in self._in_sizes_of_blocks or name in self._guarded:
            return
        if any(called(one) == "strlen" for one in walk(right)):
            self._narrows(node, name, right, "warning")

    def _computed_range(self, node: Node, state: dict[str, Facts]) -> tuple[int, int] | None:
        """Return the range of a sum, difference or product of narrow numbers; None if one is not known to be narrow."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return None
        one, other = self._narrow_range(left, state), self._narrow_range(right, state)
        if one is None or other is None:
            return None
        operator = text(node.child_by_field_name("operator"))
        if operator == "*":
            return one[0] * other[0], one[1] * other[1]
        return (one[0] + other[0], one[1] + other[1]) if operator == "+" else (one[0] - other[1], one[1] - other[0])

    def _narrow_range(self, node: Node, state: dict[str, Facts]) -> tuple[int, int] | None:
        inner = bare(node)
        if inner.type == "binary_expression" and text(inner.child_by_field_name("operator")) in ("+", "-", "*"):
            if any(text(one) in self._guarded for one in walk(inner) if one.type == "identifier"):
                return None
            return self._computed_range(inner, state)
        facts, kind = self.facts(node, state), self.types.of(bare(node))
        if facts.bounded and facts.high is None:
            return None
        if kind is None and called(bare(node)) != "strlen":
            return None
        kind = kind or INT
        if kind.bits > 16 and not facts.outside and facts.high is None and called(bare(node)) != "strlen":
            return None
        return (kind.low if facts.low is None else facts.low), (kind.high if facts.high is None else facts.high)

    def _narrows(self, node: Node, name: str, value: Node, level: Severity) -> None:
        self.report(node, OVERFLOW, f"{text(value)} may not fit {name}; check the range before.", level)
