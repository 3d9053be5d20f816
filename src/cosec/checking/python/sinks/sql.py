"""py/sql-injection: untrusted text in the text of a statement."""

import ast
import re

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import WHOLE, Value
from cosec.checking.python.knowledge.words import words

PATTERN = "py/sql-injection"
EXECUTE = frozenset({"execute", "executemany", "executescript", "mogrify", "execute_sql", "exec_driver_sql", "raw"})
PERHAPS = words(
    "query fetch fetchrow fetchval fetch_all fetch_one fetch_val iterate sql run_query execute_query copy_expert"
    " execute_async execute_values execute_batch exec get_results read_sql read_sql_query fetchall fetchone"
    " query_and_wait prepare where having order_by filter from_statement real_query select scalar scalars"
)
"""Methods that take statements in some libraries and other things in others; their text must look like SQL."""

FUNCTIONS = words(
    "sqlalchemy.text sqlalchemy.sql.text sqlalchemy.sql.expression.text sqlalchemy.literal_column db.text text"
    " django.db.models.expressions.RawSQL RawSQL peewee.SQL pandas.read_sql pd.read_sql pandas.read_sql_query"
    " pd.read_sql_query psycopg2.sql.SQL psycopg.sql.SQL"
)
CLAUSES = words("where having order_by filter from_statement select")
LOOKS_LIKE_SQL = re.compile(
    r"\b(select\b.*\bfrom|select\s|insert\s+(or\s+\w+\s+)?into|replace\s+into|update\s.*\bset|delete\s+from|create\s|drop\s|"
    r"alter\s|truncate\s|call\s|exec\s|pragma\s|grant\s|where\s|show\s)",
    re.IGNORECASE | re.DOTALL,
)
RUNNER = re.compile(r"exec|query|sql|fetch", re.IGNORECASE)
"""Functions defined elsewhere that by their name run the statement that they are given."""

STATEMENT = re.compile(
    r"\s*(select\s.*\bfrom|insert\s+into|replace\s+into|update\s.*\bset|delete\s+from)\b", re.IGNORECASE | re.DOTALL
)
LOOKS_LIKE_CLAUSE = re.compile(r"=\s*['\"]?\0|\b(like|in|and|or|asc|desc|select)\b|[<>]\s*\0", re.IGNORECASE)
STATEMENT_NAMES = re.compile(r"'(\w*(sql|query|statement|stmt|command|script|dml|ddl)\w*)'", re.IGNORECASE)


def check(site: CallSite) -> None:
    """Look at one call."""
    statement: Value | None = None
    if site.names & FUNCTIONS or any(name.endswith(".text") and "sqlalchemy" in name for name in site.names):
        statement = site.argument(0, "text", "sql")
    elif site.method in EXECUTE:
        place = 1 if site.method in {"execute_values", "execute_batch"} else 0
        statement = site.argument(place, "sql", "query", "statement", "operation", "raw_query")
    elif site.method in PERHAPS and isinstance(site.node.func, ast.Attribute):
        place = 1 if site.method in {"execute_values", "execute_batch"} else 0
        statement = site.argument(place, "sql", "query", "statement")
        pattern = LOOKS_LIKE_CLAUSE if site.method in CLAUSES else LOOKS_LIKE_SQL
        if statement is not None and not pattern.search(statement.letters()):
            return
    elif RUNNER.search(site.method) and site.method not in EXECUTE:
        texts = [each for each in site.positional if STATEMENT.match(each.letters())]
        _check_all(site, [texts[0] if texts else None])
    elif site.method == "extra":
        _check_all(site, [site.argument(None, name) for name in ("where", "select", "tables", "order_by")])
        return
    if statement is not None:
        _check_all(site, [statement])


def _check_all(site: CallSite, statements: list[Value | None]) -> None:
    for statement in statements:
        if statement is None:
            continue
        for taint in site.analysis.harmful(statement, "sql"):
            if taint.source.kind == "archive":
                continue
            whole = taint.source.kind == "parameter" and WHOLE not in taint.neutral
            if whole and (STATEMENT_NAMES.search(taint.source.text) or site.method not in EXECUTE):
                continue  # A function that runs the statement that it is given leaves its making to others.
            site.analysis.report(PATTERN, site.node, "Untrusted text becomes part of an SQL statement", taint.source)
            return
