"""Sinks: calls, comparisons and assignments that make an untrusted or careless value a weakness; one file a pattern."""

from collections.abc import Callable

from cosec.checking.python.flow.sinks import (
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
from cosec.checking.python.flow.site import CallSite

SINKS: tuple[Callable[[CallSite], None], ...] = (
    sql.check,
    commands.check,
    paths.check,
    archives.check,
    pages.check,
    deserialization.check,
    permissions.check,
    credentials.check,
    hosts.check,
    logs.check,
    regexes.check,
)
"""All that look at calls."""
