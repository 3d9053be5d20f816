"""A stand-in for psycopg2 over one SQLite database that the test fills."""

import re
import sqlite3
import sys
import types

__path__ = []
DATABASE = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
"""What every connection reaches."""
CONNECTED_WITH = []
"""The arguments of each ``connect``."""


class Error(Exception):
    """The root of its errors."""


DatabaseError = OperationalError = IntegrityError = Error


class Composable(str):
    """A piece of SQL."""

    def as_string(self, _context):
        return str(self)

    def format(self, *args, **kwargs):
        return Composable(str.format(self, *args, **kwargs))


class SQL(Composable):
    pass


class Identifier(Composable):
    def __new__(cls, name):
        return super().__new__(cls, '"' + name.replace('"', '""') + '"')


class Literal(Composable):
    def __new__(cls, value):
        return super().__new__(cls, "'" + str(value).replace("'", "''") + "'")


class Cursor:
    """Runs statements with ``%s`` and ``%(name)s`` places."""

    def __init__(self, as_dicts):
        self._cursor = DATABASE.cursor()
        self._as_dicts = as_dicts

    def execute(self, sql, params=None):
        sql = str(sql)
        if not params:
            self._cursor.execute(sql)
        elif isinstance(params, dict):
            self._cursor.execute(re.sub(r"%\((\w+)\)s", r":\1", sql), params)
        else:
            self._cursor.execute(sql.replace("%s", "?").replace("%%", "%"), tuple(params))

    def executemany(self, sql, rows):
        for row in rows:
            self.execute(sql, row)

    def mogrify(self, sql, params=()):
        quoted = tuple("'" + str(value).replace("'", "''") + "'" for value in params)
        return (sql % quoted).encode()

    def _shaped(self, row):
        if row is None or not self._as_dicts:
            return row
        return dict(zip((column[0] for column in self._cursor.description), row))

    def fetchone(self):
        return self._shaped(self._cursor.fetchone())

    def fetchall(self):
        return [self._shaped(row) for row in self._cursor.fetchall()]

    def __iter__(self):
        return iter(self.fetchall())

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._cursor.close()

    def __getattr__(self, name):
        return getattr(self._cursor, name)


class Connection:
    """A connection; everything is committed at once."""

    autocommit = False
    closed = 0

    def cursor(self, *_args, cursor_factory=None, **_kwargs):
        return Cursor(cursor_factory is not None)

    def commit(self):
        """Done already."""

    rollback = close = commit

    def set_session(self, **_options):
        """Every setting is fine."""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        return None


def connect(*args, **kwargs):
    CONNECTED_WITH.append((args, kwargs))
    return Connection()


def _module(name, **content):
    module = types.ModuleType(f"psycopg2.{name}")
    module.__dict__.update(content)
    sys.modules[module.__name__] = module
    return module


sql = _module("sql", SQL=SQL, Identifier=Identifier, Literal=Literal, Composed=Composable)
extras = _module("extras", RealDictCursor=Cursor, DictCursor=Cursor)
extensions = _module("extensions", connection=Connection, cursor=Cursor)
