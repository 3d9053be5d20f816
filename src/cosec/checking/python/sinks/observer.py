"""Passes the events of an analysis on to the modules that know the weaknesses."""

from __future__ import annotations

import ast

from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.taints import any_taint
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.sinks import (
    archives,
    commands,
    credentials,
    deserialization,
    hosts,
    logs,
    pages,
    paths,
    permissions,
    regexes,
    sql,
)

_FLOWS = (sql.check, commands.check, paths.check, deserialization.check, logs.check, regexes.check)
"""Checks of calls that report text from outside, and nothing else."""

_CHECKS = (archives.check, permissions.check, credentials.check, hosts.check)
"""Other checks of calls."""


class SinkObserver:
    """Looks for every pattern of the flow checker in one analysis; implements `protocol.Observer`."""

    def __init__(self) -> None:
        self._pages = pages.Pages()

    def on_call(self, site: CallSite) -> None:
        """Look at a call."""
        for check in (*_FLOWS, *_CHECKS) if any_taint() else _CHECKS:
            check(site)
        pages.check(site)

    def result_of(self, site: CallSite) -> Value | None:
        """Return the response or template engine that a call makes; None if it makes none."""
        return self._pages.made(site)

    def on_assignment(self, analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
        """Look at what is stored under a name."""
        credentials.check_assignment(analysis, node, name, value)
        pages.check_assignment(analysis, node, name, value)
        regexes.check_assignment(analysis, node, name, value)

    def on_comparison(self, analysis: Analysis, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
        """Look at a comparison."""
        credentials.check_comparison(analysis, node, left, kind, right)
        hosts.check_comparison(analysis, node, left, kind, right)

    def on_result(self, analysis: Analysis, value: Value, node: ast.Return | ast.Yield) -> None:
        """Look at what a function sends to a browser."""
        pages.check_result(analysis, value, node)

    def on_end(self, analysis: Analysis) -> None:
        """Judge what needs the whole run.

        Headers of responses and settings of template engines are all known now, and so are repeated credentials.
        """
        self._pages.finish(analysis)
        credentials.finish(analysis)
