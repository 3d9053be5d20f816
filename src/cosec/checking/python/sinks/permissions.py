"""py/weak-file-permissions: files that others may read or write."""

from __future__ import annotations

import ast
import re
import stat
from collections.abc import Iterable

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Value, constant

_PATTERN = "py/weak-file-permissions"
_OTHERS_WRITE = 0o022
_OTHERS_READ = 0o044
_OTHERS = 0o077
_EXECUTABLE = 0o100
_SECRET = re.compile(
    r"secret|passw|private|credential|token|shadow|id_rsa|id_ed25519|\.pem\b|\.key\b|_key\b|keyfile|api_?key|\bkey\b|"
    r"\bsalt\b|session|cookie|wallet|backup|medical|payroll|confidential|sensitive|\.env\b|netrc|pgpass|vault|license_key",
    re.IGNORECASE,
)
_PUBLIC = re.compile(
    r"public|static|\.html?\b|\.css\b|\.js\b|\bwww\b|htdocs|readme|robots|favicon|/usr/share", re.IGNORECASE
)
_SHELL_CHMOD = re.compile(r"\bchmod\s+(-R\s+)?(0?[0-7]{3,4}|[augo]*[+=][rwxX]+)\s")
_DEFAULT_FILE = 0o666
_DEFAULT_FOLDER = 0o777
_UMASK = "<umask>"


def check(site: CallSite) -> None:
    """Look at one call."""
    method = site.method
    if method in {"chmod", "fchmod", "lchmod"} and (site.within("os.") or site.is_method):
        place = 0 if site.is_method and not site.within("os.") else 1
        _judge(site, site.argument(place, "mode"), site.argument(0, "path") if place else site.receiver)
    elif site.called("os.umask"):
        _umask(site)
    elif site.called("os.open"):
        _opened(site)
    elif site.called("os.mkdir", "os.makedirs", "os.mkfifo", "os.mknod") or (
        site.is_method and method in {"mkdir", "touch"}
    ):
        _made(site)
    elif site.called("open", "io.open") or (site.is_method and method in {"write_text", "write_bytes"}):
        _written(site)
    elif site.within("subprocess.", "os.system", "os.popen"):
        _shell(site)


def _umask_now(site: CallSite) -> int | None:
    found = site.analysis.look_up(_UMASK).constant
    return found if isinstance(found, int) else None


def _judge(site: CallSite, mode: Value | None, path: Value | None, *, mask: int = 0) -> None:
    modes = [each for each in (mode.constants if mode is not None else ()) if type(each) is int]
    symbolic = _symbolic(mode)
    if symbolic is not None:
        modes.append(symbolic)
    open_modes = [each & ~mask for each in modes if weak(each & ~mask, _context(site, path))]
    if open_modes:
        site.analysis.report(
            _PATTERN, site.node, "The file's mode lets others read or write it", severity=_level(open_modes)
        )


def _level(modes: Iterable[int]) -> Severity:
    """Return ``warning`` if others may write, ``note`` if they may only read."""
    return "warning" if any(mode & _OTHERS_WRITE for mode in modes) else "note"


def weak(mode: int, context: str) -> bool:
    """Tell whether a mode is too open for a file that ``context`` describes."""
    if mode & _OTHERS_WRITE:
        return True
    if _SECRET.search(context):
        return bool(mode & _OTHERS)
    if _PUBLIC.search(context):
        return False
    if mode & _EXECUTABLE:
        # Programs are for all; a mode that shuts out the group alone is a slip.
        return bool(mode & 0o004 and not mode & 0o040)
    return bool(mode & 0o004) or mode & _OTHERS_READ == 0o044


def _symbolic(mode: Value | None) -> int | None:
    """Return the mode of ``stat.S_IRUSR | stat.S_IWUSR``; the evaluator joins the names of both sides."""
    if mode is None or not mode.names:
        return None
    found = 0
    for name in mode.names:
        bits = getattr(stat, name.rsplit(".", 1)[-1], None) if ".S_I" in f".{name}" else None
        if isinstance(bits, int):
            found |= bits
    return found | sum(each for each in mode.constants if type(each) is int)


def _context(site: CallSite, path: Value | None) -> str:
    """Return words that describe the file: its name, the call, the function around it."""
    words = [ast.unparse(site.node)]
    if path is not None:
        words += [path.letters(), *(str(each) for each in path.constants)]
    function = site.analysis.frame.function
    if function is not None:
        words.append(function.name)
    return " ".join(words).replace("_", " _ ").replace(" _ ", "_")


def _umask(site: CallSite) -> None:
    mask = site.positional[0].constant if site.positional else None
    value = constant(mask) if isinstance(mask, int) else UNKNOWN
    site.analysis.frame.state.names[_UMASK] = value
    if isinstance(mask, int) and (mask & _OTHERS_WRITE) != _OTHERS_WRITE and _discarded(site):
        site.analysis.report(_PATTERN, site.node, "This umask lets others write to all files created from here on")


def _discarded(site: CallSite) -> bool:
    return any(isinstance(node, ast.Expr) and node.value is site.node for node in ast.walk(site.analysis.program.tree))


def _usual(site: CallSite, path: Value | None) -> bool:
    """Tell whether a default mode is given to what holds no secret: who starts the program sets the mask."""
    declared = site.analysis.entry_points == "declared"
    return declared and _umask_now(site) is None and not _SECRET.search(_context(site, path))


def _opened(site: CallSite) -> None:
    flags = site.argument(1, "flags")
    creates = flags is not None and any("O_CREAT" in name or "O_TMPFILE" in name for name in flags.names)
    if not creates:
        return
    mode, path = site.argument(2, "mode"), site.argument(0, "path")
    if mode is None and _restricted_later(site):
        return
    if (mode is None or mode.constant == _DEFAULT_FILE) and _usual(site, path):
        return
    _judge(site, mode or constant(_DEFAULT_FOLDER), path, mask=_umask_now(site) or 0)


def _made(site: CallSite) -> None:
    mode = site.argument(0 if site.is_method and not site.within("os.") else 1, "mode")
    mask = _umask_now(site)
    path = site.receiver if site.is_method and not site.within("os.") else site.argument(0, "path", "name")
    if mode is not None and not (mode.constant == _DEFAULT_FOLDER and _usual(site, path)):
        _judge(site, mode, path, mask=mask or 0)
    elif mask is not None and (mask & _OTHERS_WRITE) != _OTHERS_WRITE:
        site.analysis.report(_PATTERN, site.node, "It is created with a umask that lets others write to it")


def _written(site: CallSite) -> None:
    """Check a file that is created with the default mode."""
    mode = site.argument(1, "mode")
    writes = site.method in {"write_text", "write_bytes"} or (
        mode is not None and any(isinstance(each, str) and set(each) & set("wax") for each in mode.constants)
    )
    if not writes or site.argument(None, "opener") is not None:
        return
    mask = _umask_now(site)
    if mask is not None:
        if (mask & _OTHERS_WRITE) != _OTHERS_WRITE:
            site.analysis.report(_PATTERN, site.node, "It is created with a umask that lets others write to it")
        return
    path = site.receiver if site.method in {"write_text", "write_bytes"} else site.argument(0, "file")
    name = " ".join([path.letters(), *(str(each) for each in path.constants)]) if path is not None else ""
    if _STRONG_SECRET.search(name) and not _restricted_later(site) and (path is None or "open()" not in path.names):
        site.analysis.report(_PATTERN, site.node, "A secret is written to a file that others may read")


_STRONG_SECRET = re.compile(
    r"private|id_rsa|id_ed25519|\.pem\b|\.key\b|secret|passwords?\b|credential|api_?key|\btoken|\.pgpass|\.netrc|master_key",
    re.IGNORECASE,
)


def _restricted_later(site: CallSite) -> bool:
    """Tell whether the program sets modes anywhere; then only those are judged."""
    for node in ast.walk(site.analysis.program.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in {"chmod", "fchmod", "umask", "fdopen", "mkstemp", "NamedTemporaryFile"}:
                return True
    return False


def _shell(site: CallSite) -> None:
    command = site.argument(0, "args")
    if command is None:
        return
    words = [each.letters() for held in command.held("list", "tuple") for each in held.items()]
    text = " ".join(words) if words else command.letters()
    found = _SHELL_CHMOD.search(text + " ")
    if found is None:
        return
    mode = found[2]
    if mode[0].isdigit():
        if weak(int(mode, 8), text + _context(site, None)):
            level = _level([int(mode, 8)])
            site.analysis.report(_PATTERN, site.node, "The file's mode lets others read or write it", severity=level)
    elif "w" in mode and not re.match(r"^u?[+=]", mode.replace("u", "", 1) if mode.startswith("u") else mode):
        site.analysis.report(_PATTERN, site.node, "The file's mode lets others write it")
