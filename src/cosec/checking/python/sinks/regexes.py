"""py/regex-injection: untrusted text used as a regular expression."""

import ast
import re

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.engine.library.conditions import is_compiled
from cosec.checking.python.knowledge.sinks import PATTERNS
from cosec.checking.python.knowledge.sources import LOCAL
from cosec.checking.python.knowledge.words import words
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/regex-injection"
_MESSAGE = "Untrusted text is used as a regular expression"
_KINDS = frozenset({"remote", "input", "parameter", "download", "argv"})
_ASKED_FOR = re.compile(r"^option -*\w*(regex|regexp|pattern|grep|match|filter|expr)", re.IGNORECASE)
"""Options of a command that are meant to be a regular expression."""

_TABLE_METHODS = words("contains match fullmatch findall extract extract_all extractall count replace split")
_LITERAL_METHODS = frozenset({"replace", "split"})
"""Those of them that take a plain text unless told otherwise."""


def check(site: CallSite) -> None:
    """Look at one call."""
    for pattern in _of_queries(site):
        _report(site.analysis, site.node, pattern)
    row = matching(site, PATTERNS)
    if row is None or is_compiled(site.receiver):
        return
    if not site.within("re.") and "regex" not in site.analysis.program.imported:
        return
    for pattern in arguments(site, row):
        if is_compiled(pattern):
            return
        _report(site.analysis, site.node, pattern)


def check_assignment(analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
    """Look at ``{"$regex": text}``, a query of MongoDB."""
    if name == "$regex":
        _report(analysis, node, value)


def _of_queries(site: CallSite) -> list[Value]:
    """Return the patterns of queries: columns of tables, ``name__regex=``, ``rlike``."""
    found = [value for name, value in site.named.items() if name == "regex" or name.endswith(("__regex", "__iregex"))]
    if site.method in {"rlike", "regexp_match", "regexp_extract", "regexp_replace"} and site.is_method:
        found += site.positional[:1]
    if site.method == "replace" and site.is_method and site.argument(None, "regex") is not None:
        found += site.positional[:1] if site.named["regex"].constant is True else []
    column = site.node.func.value if isinstance(site.node.func, ast.Attribute) else None
    if isinstance(column, ast.Attribute) and column.attr == "str" and site.method in _TABLE_METHODS:
        flag, literal = site.argument(None, "regex"), site.argument(None, "literal")
        plain = flag is None if site.method in _LITERAL_METHODS else flag is not None and flag.constant is False
        if not plain and not (literal is not None and literal.constant is True):
            pattern = site.argument(0, "pat", "pattern")
            found += [pattern] if pattern is not None else []
    return found


def _report(analysis: Analysis, node: ast.expr, pattern: Value) -> None:
    for taint in analysis.harmful(pattern, "regex", _KINDS):
        if taint.source.kind == "argv" and _ASKED_FOR.match(taint.source.text):
            continue
        level: Severity | None = "warning" if taint.source.kind in LOCAL else None
        analysis.report(_PATTERN, node, _MESSAGE, taint.source, severity=level)
        return
