"""Rows of a database: text that was stored before, perhaps by an outsider.

A row is harmless everywhere but inside the quotes of another statement.
"""

from __future__ import annotations

import ast
import re

from cosec.checking.python.engine.domain.program import text_of
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.engine.library.sources import incoming
from cosec.checking.python.knowledge.dangers import DANGERS
from cosec.checking.python.knowledge.sources import FETCHES, STATEMENT_RUNNERS

_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_CATALOGUE = re.compile(
    r"sqlite_(master|schema)|information_schema|pg_catalog|\bpg_\w+|\bsys\.|\bdual\b", re.IGNORECASE
)
"""Tables that describe the database itself."""


def result(site: CallSite) -> Value | None:
    """Return the rows of ``execute("SELECT …")`` or ``fetchall()``; None for other calls."""
    if not site.is_method:
        return None
    if site.method in STATEMENT_RUNNERS and site.positional:
        return _executed(site)
    if site.method not in FETCHES:
        return None
    if any(taint.source.kind == "stored" for taint in site.receiver.taints):
        return site.receiver.step(site.method)
    return _kept(site.analysis, site.node.func.value) if isinstance(site.node.func, ast.Attribute) else None


def iterated(analysis: Analysis, node: ast.expr, value: Value) -> Value:
    """Return what a loop over ``node`` goes through: for a cursor, the rows of its last statement."""
    return value if value.taints or value.holds else _kept(analysis, node) or value


def _executed(site: CallSite) -> Value:
    """Return the result of a statement, and keep its rows for the cursor that ran it."""
    letters = site.positional[0].letters()
    names = frozenset(f"{name}()" for name in site.names)
    made = Value(names=names)
    if _SELECT.match(letters) and not _CATALOGUE.search(letters):
        rows = incoming("stored", "row of a query").without(DANGERS - {"sql"})
        made = rows.with_(names=names)
    if isinstance(site.node.func, ast.Attribute):
        site.analysis.frame.state.names[_place(site.node.func.value)] = made.with_(names=frozenset())
    return made


def _kept(analysis: Analysis, node: ast.expr) -> Value | None:
    found = analysis.frame.state.names.get(_place(node))
    return found if found is not None and found.taints else None


def _place(node: ast.expr) -> str:
    return f"<rows of {text_of(node)}>"
