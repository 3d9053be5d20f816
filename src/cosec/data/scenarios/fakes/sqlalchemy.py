"""A stand-in for sqlalchemy's engine and ``text``, over one SQLite database that the test fills."""

import sqlite3
import sys
import types
from collections import namedtuple

__path__ = []
DATABASE = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
"""What every engine connects to."""


class SQLAlchemyError(Exception):
    """The root of its errors."""


class ArgumentError(SQLAlchemyError):
    """Not a statement."""


class TextClause:
    """A statement with ``:name`` places."""

    def __init__(self, sql):
        self.sql = str(sql)
        self.values = {}

    def bindparams(self, *_params, **values):
        bound = TextClause(self.sql)
        bound.values = {**self.values, **values}
        return bound

    def __str__(self):
        return self.sql


def text(sql):
    return TextClause(sql)


class Result:
    """Rows."""

    def __init__(self, cursor):
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid
        names = [column[0] for column in cursor.description or ()]
        row_type = namedtuple("Row", names, rename=True)
        row_type._mapping = property(lambda row: dict(zip(names, row)))
        self._names = names
        self._rows = [row_type(*row) for row in cursor.fetchall()]

    def __iter__(self):
        return iter(self._rows)

    def fetchall(self):
        return list(self._rows)

    all = fetchall

    def first(self):
        return self._rows[0] if self._rows else None

    fetchone = one_or_none = first

    def one(self):
        (row,) = self._rows
        return row

    def scalar(self):
        return self._rows[0][0] if self._rows else None

    scalar_one = scalar_one_or_none = scalar

    def keys(self):
        return list(self._names)

    def scalars(self):
        return Rows([row[0] for row in self._rows])

    def mappings(self):
        return Rows([row._mapping for row in self._rows])


class Rows(list):
    """Rows in another shape."""

    def all(self):
        return list(self)

    fetchall = all

    def first(self):
        return self[0] if self else None


class Connection:
    """A connection or a session."""

    def __init__(self, *_args, **_kwargs):
        pass

    def execute(self, statement, parameters=None):
        if not isinstance(statement, TextClause):
            raise ArgumentError(f"not an executable object: {statement!r}")
        many = parameters if isinstance(parameters, (list, tuple)) else [parameters or {}]
        for values in many:
            cursor = DATABASE.execute(statement.sql, {**statement.values, **values})
        return Result(cursor)

    def exec_driver_sql(self, sql, parameters=()):
        return Result(DATABASE.execute(sql, parameters))

    def scalar(self, statement, parameters=None):
        return self.execute(statement, parameters).scalar()

    def scalars(self, statement, parameters=None):
        return self.execute(statement, parameters).scalars()

    def commit(self):
        """SQLite does it by itself here."""

    rollback = close = flush = commit

    def begin(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        return None


class Engine:
    """Where connections come from."""

    def connect(self):
        return Connection()

    begin = connect

    def dispose(self):
        """Nothing to close."""


def create_engine(*_args, **_kwargs):
    return Engine()


def _module(name, **content):
    module = types.ModuleType(f"sqlalchemy.{name}")
    module.__dict__.update(content)
    sys.modules[module.__name__] = module
    return module


exc = _module("exc", SQLAlchemyError=SQLAlchemyError, ArgumentError=ArgumentError)
orm = _module("orm", Session=Connection, sessionmaker=lambda *_args, **_kwargs: Connection)
engine = _module("engine", Engine=Engine, Connection=Connection)
sql = _module("sql", text=text)
