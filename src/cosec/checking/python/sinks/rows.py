"""Matching of calls against the rows of a table of sinks."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.knowledge.sinks import Sink

_names: dict[int, tuple[Sequence[Sink], frozenset[str], frozenset[str]]] = {}
"""Identity of a table -> the table, and all functions and methods of its rows: most calls fit none of them."""


def matching(site: CallSite, rows: Sequence[Sink]) -> Sink | None:
    """Return the first row that the call fits, else None."""
    known = _names.get(id(rows))
    if known is None:
        functions = frozenset[str]().union(*(row.functions for row in rows))
        methods = frozenset[str]().union(*(row.methods for row in rows))
        _names[id(rows)] = known = rows, functions, methods
    if site.method not in known[2] and site.names.isdisjoint(known[1]):
        return None
    return next((row for row in rows if _fits(site, row)), None)


def arguments(site: CallSite, row: Sink) -> list[Value]:
    """Return the arguments that a row names and whose known letters match its ``text``."""
    given = [site.argument(place, *row.keywords) for place in row.places]
    return [value for value in given if value is not None and (row.text is None or row.text.search(value.letters()))]


def _fits(site: CallSite, row: Sink) -> bool:
    if site.names & row.functions:
        return True
    if site.method not in row.methods or (row.on_value and not site.is_method):
        return False
    if row.dotted and not isinstance(site.node.func, ast.Attribute):
        return False
    return not row.modules or site.within(*row.modules)
