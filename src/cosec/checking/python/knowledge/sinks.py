"""Calls in which untrusted text does harm: SQL, shell commands, paths, deserialization, regular expressions.

Each weakness has its rows. `cosec.checking.python.sinks` has the conditions that a row cannot express.
"""

import re
from dataclasses import dataclass

from cosec.checking.python.knowledge.files import OPENERS
from cosec.checking.python.knowledge.words import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Calls, and their arguments that must not carry the danger."""

    functions: frozenset[str] = frozenset()
    """Dotted names: ``os.system``."""

    methods: frozenset[str] = frozenset()
    """Last parts of names."""

    modules: tuple[str, ...] = ()
    """Starts of dotted names, one of which must fit beside ``methods``."""

    on_value: bool = False
    """Only methods of a value, not functions of a module."""

    dotted: bool = False
    """Only calls written with a dot."""

    places: tuple[int | None, ...] = (0,)
    """Places of the arguments; None for arguments that are only given by name."""

    keywords: tuple[str, ...] = ()
    """Keyword names of the arguments."""

    text: re.Pattern[str] | None = None
    """Pattern that the known letters of the argument must contain; U+0000 stands for unknown parts."""


LOOKS_LIKE_SQL = re.compile(
    r"\b(select\b.*\bfrom|select\s|insert\s+(or\s+\w+\s+)?into|replace\s+into|update\s.*\bset|delete\s+from|create\s|drop\s|"
    r"alter\s|truncate\s|call\s|exec\s|pragma\s|grant\s|where\s|show\s)",
    re.IGNORECASE | re.DOTALL,
)
"""A statement."""

LOOKS_LIKE_CLAUSE = re.compile(r"=\s*['\"]?\0|\b(like|in|and|or|asc|desc|select)\b|[<>]\s*\0", re.IGNORECASE)
"""A condition or an order with an unknown part."""

_STATEMENT = ("sql", "query", "statement")

SQL = (
    Sink(
        functions=words(
            "sqlalchemy.text sqlalchemy.sql.text sqlalchemy.sql.expression.text sqlalchemy.literal_column db.text text"
            " django.db.models.expressions.RawSQL RawSQL peewee.SQL pandas.read_sql pd.read_sql pandas.read_sql_query"
            " pd.read_sql_query psycopg2.sql.SQL psycopg.sql.SQL"
        ),
        keywords=("text", "sql"),
    ),
    Sink(methods=words("text"), modules=("sqlalchemy", "flask_sqlalchemy"), keywords=("text", "sql")),
    Sink(
        methods=words("execute executemany executescript mogrify execute_sql exec_driver_sql raw"),
        keywords=(*_STATEMENT, "operation", "raw_query"),
    ),
    Sink(
        methods=words("execute_values execute_batch"),
        dotted=True,
        places=(1,),
        keywords=_STATEMENT,
        text=LOOKS_LIKE_SQL,
    ),
    Sink(
        methods=words("where having order_by filter from_statement select"),
        dotted=True,
        keywords=_STATEMENT,
        text=LOOKS_LIKE_CLAUSE,
    ),
    Sink(
        methods=words(
            "query fetch fetchrow fetchval fetch_all fetch_one fetch_val iterate sql run_query execute_query"
            " copy_expert execute_async exec get_results read_sql read_sql_query fetchall fetchone query_and_wait"
            " prepare real_query scalar scalars"
        ),
        dotted=True,
        keywords=_STATEMENT,
        text=LOOKS_LIKE_SQL,
    ),
)
"""Statements and clauses of SQL; the first row that fits decides."""

SQL_RUNNERS = words("execute executemany executescript mogrify execute_sql exec_driver_sql raw")
"""Methods that run any statement that they are given."""

SHELL = (
    Sink(
        functions=words(
            "os.system os.popen os.popen2 os.popen3 os.popen4 popen2.popen2 popen2.popen3 popen2.popen4"
            " subprocess.getoutput subprocess.getstatusoutput commands.getoutput commands.getstatusoutput"
            " asyncio.create_subprocess_shell asyncio.subprocess.create_subprocess_shell platform.popen posix.system"
            " pexpect.run pexpect.runu invoke.run fabric.operations.run fabric.operations.local fabric.api.run"
            " fabric.api.local fabric.api.sudo"
        ),
        keywords=("cmd", "command"),
    ),
    Sink(
        methods=words("exec_command create_subprocess_shell subprocess_shell"),
        on_value=True,
        keywords=("cmd", "command"),
    ),
)
"""Commands that a shell reads."""

_PATH = ("file", "path", "name", "src", "dst", "filename")

PATHS = (
    Sink(
        functions=OPENERS
        | words(
            "os.open os.remove os.unlink os.rmdir os.removedirs os.mkdir os.makedirs os.listdir os.scandir os.walk"
            " os.chmod os.chown os.truncate shutil.rmtree os.mkfifo os.readlink os.utime zipfile.ZipFile tarfile.open"
            " tarfile.TarFile linecache.getline linecache.getlines pandas.read_csv pd.read_csv pandas.read_excel"
            " pd.read_excel numpy.load np.load PIL.Image.open Image.open fileinput.input runpy.run_path"
            " sqlite3.dbapi2 mmap.open tempfile.mkdtemp_in sanic.response.file sanic.response.file_stream"
        ),
        keywords=_PATH,
    ),
    Sink(
        functions=words(
            "os.rename os.renames os.replace os.link os.symlink shutil.copy shutil.copy2 shutil.copyfile"
            " shutil.copytree shutil.move shutil.copymode"
        ),
        places=(0, 1),
        keywords=_PATH,
    ),
    Sink(methods=words("send_file FileResponse sendfile"), keywords=("path_or_file", "path", "filename_or_fp", "file")),
    Sink(methods=words("send_from_directory"), keywords=("directory",)),
    Sink(methods=words("static_file"), places=(None,), keywords=("root",)),
)
"""Paths of files that are opened, moved, removed or sent; the first row that fits decides."""

PATH_METHODS = words(
    "read_text read_bytes write_text write_bytes open unlink rmdir mkdir touch iterdir rename replace glob rglob"
    " chmod symlink_to hardlink_to"
)
"""Methods of a path that use it."""

CERTAIN_PATH_METHODS = words("read_text read_bytes write_text write_bytes iterdir")
"""Those of them that only paths have."""

_PICKLES = words("pickle _pickle cPickle dill cloudpickle marshal jsonpickle joblib six.moves.cPickle")

LOADERS = (
    Sink(
        functions=frozenset(f"{module}.{name}" for module in _PICKLES for name in words("load loads decode Unpickler"))
        | words(
            "eval shelve.open shelve.DbfilenameShelf pandas.read_pickle pd.read_pickle torch.load yaml.unsafe_load"
            " yaml.unsafe_load_all yaml.full_load yaml.full_load_all jsonpickle.unpickler.decode numpy.load np.load"
            " sklearn.externals.joblib.load ruamel.yaml.YAML(unsafe).load ruamel.yaml.YAML(unsafe).load_all"
        ),
        keywords=("file", "filename", "data", "string", "filepath_or_buffer", "f"),
    ),
)
"""Functions that read a format which can carry code."""

YAML_LOADERS = (
    Sink(functions=words("yaml.load yaml.load_all ruamel.yaml.load ruamel.yaml.load_all"), keywords=("stream",)),
)
"""Functions that read such a format unless they are given one of `SAFE_LOADERS`."""

SAFE_LOADERS = words("SafeLoader CSafeLoader BaseLoader CBaseLoader SafeConstructor")
"""Classes that read the plain types of YAML only."""

PATTERNS = (
    Sink(
        methods=words("compile match fullmatch search findall finditer split sub subn template"),
        modules=("re.", "regex."),
        keywords=("pattern",),
    ),
)
"""Regular expressions."""
