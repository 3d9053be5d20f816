"""py/sql-injection: untrusted text in an SQL statement."""

import re

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import WHOLE, Taint, Value
from cosec.checking.python.knowledge.sinks import SQL, SQL_RUNNERS
from cosec.checking.python.knowledge.sources import LOCAL
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/sql-injection"
RUNNER = re.compile(r"exec|query|sql|fetch", re.IGNORECASE)
"""Names of functions of other files that run a statement."""

_STATEMENT = re.compile(
    r"\s*(select\s.*\bfrom|insert\s+into|replace\s+into|update\s.*\bset|delete\s+from)\b", re.IGNORECASE | re.DOTALL
)
_STATEMENT_NAMES = re.compile(r"'(\w*(sql|query|statement|stmt|command|script|dml|ddl)\w*)'", re.IGNORECASE)


def check(site: CallSite) -> None:
    """Look at one call."""
    row = matching(site, SQL)
    if row is not None:
        _check_all(site, arguments(site, row))
    elif RUNNER.search(site.method):
        _check_all(site, [each for each in site.positional if _STATEMENT.match(each.letters())][:1])
    elif site.method == "extra":
        clauses = (site.argument(None, name) for name in ("where", "select", "tables", "order_by"))
        _check_all(site, [each for each in clauses if each is not None])


_OPEN_QUOTE = re.compile(r"'%?$|([=<>(,]|\blike)\s*\"$", re.IGNORECASE)
"""Text before a value. Double quotes elsewhere stand around the name of a table: ``purge table "name"``."""


def _is_quoted(statement: Value, taint: Taint) -> bool:
    """Tell whether a text stands between quotes in a statement."""
    before = ""
    for part in statement.parts:
        if isinstance(part, str):
            before = part
        elif taint in part and _OPEN_QUOTE.search(before):
            return True
    return False


def _is_quoted_name(statement: Value, taint: Taint) -> bool:
    """Tell whether a text stands between double quotes or backticks, which are doubled in it: as a quoted name."""
    found = False
    for before, part, after in zip(("", *statement.parts), statement.parts, (*statement.parts[1:], ""), strict=False):
        if isinstance(part, str) or taint not in part:
            continue
        ends = (before[-1:], after[:1]) if isinstance(before, str) and isinstance(after, str) else ("", "")
        doubled = {f"replace:{quote}={quote * 2}" for quote in ('"', "`") if ends == (quote, quote)}
        if not any(step in doubled for step in taint.lineage):
            return False
        found = True
    return found


def _runs_what_it_is_given(site: CallSite, taint: Taint) -> bool:
    """Tell whether a function or command runs a whole statement, which leaves its making to others."""
    if taint.source.kind in LOCAL:
        return site.analysis.entry_points == "declared"
    named = _STATEMENT_NAMES.search(taint.source.text) or site.method not in SQL_RUNNERS
    return taint.source.kind == "parameter" and bool(named)


def _check_all(site: CallSite, statements: list[Value]) -> None:
    for statement in statements:
        for taint in site.analysis.harmful(statement, "sql"):
            if taint.source.kind == "archive":
                continue
            if _is_quoted_name(statement, taint):
                continue
            if taint.source.kind == "stored" and not _is_quoted(statement, taint):
                continue  # A number, or the name of a table.
            if WHOLE not in taint.neutral and _runs_what_it_is_given(site, taint):
                continue
            site.analysis.report(_PATTERN, site.node, "Untrusted text becomes part of an SQL statement", taint.source)
            return
