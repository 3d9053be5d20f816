"""Credentials in the text of a C program, and files that are created with modes that are too open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Report, Unit, arguments, bare, called, declarations, literal, text, walk
from cosec.checking.c.texts.guards import literal_of

if TYPE_CHECKING:
    from tree_sitter import Node

_SECRET = re.compile(
    r"(password|passwd|passphrase|passcode|secret|api_?key|auth_?token|access_?token)|(^|_)(pwd?|pass|pin_?code)\d?$",
    re.I,
)
_NO_SECRET = re.compile(r"(prompt|file|path|env|field|label|hash|length|len|size|message|msg|hint|url|name|var)$", re.I)
_PLACEHOLDER = re.compile(
    r"^(\*+|x+|none|null|true|false|yes|no|root|admin|user|plain|unknown|required)$|^[<$%/]", re.I
)
_COMPARES = frozenset({"strcmp", "strncmp", "strcasecmp", "strncasecmp", "memcmp", "CRYPTO_memcmp", "timingsafe_bcmp"})
_COMPARES |= {"consttime_memequal", "g_strcmp0", "g_str_equal", "wcscmp"}
_TAKES = {"mysql_real_connect": 3, "PQsetdbLogin": 6, "ldap_simple_bind_s": 2, "redisCommandAuth": 1}
"""Functions that take a password -> its place."""
_CONNECTS = frozenset({"PQconnectdb", "SQLDriverConnect"})
_DSN = re.compile(r"\b(password|passwd|pwd)\s*=\s*'?[^\s;'%$<{]{3,}", re.I)
_MODE_PLACE = {"open": 2, "creat": 1, "chmod": 1, "fchmod": 1, "mkdir": 1, "openat": 3, "mkfifo": 1, "fchmodat": 2}
_MODE_PLACE |= {"open64": 2, "mknod": 1}
_OTHERS_MAY_WRITE, _OTHERS_MAY_READ = 0o002, 0o004
_PRIVATE = re.compile(
    r"secret|passw|private|credential|token|shadow|id_rsa|id_ed25519|\.pem\b|\.key\b|_key\b|keyfile|api_?key|\bkeys?\b"
    r"|\bsalt\b|cookie|wallet|netrc|pgpass|vault|\.env\b",
    re.I,
)


def look(unit: Unit, report: Report) -> None:
    """Check a whole file."""
    masked = "umask(" in text(unit.root)
    for name, function in unit.functions.items():
        for call in walk(function):
            given, function_name = arguments(call), called(call)
            if function_name in _MODE_PLACE and len(given) > _MODE_PLACE[function_name] and not masked:
                _mode(unit, call, given, name, report)
            elif function_name in _COMPARES and len(given) >= 2:
                _compared(call, given, report)
            elif function_name in _TAKES and len(given) > _TAKES[function_name]:
                content = literal_of(given[_TAKES[function_name]])
                if content and not _PLACEHOLDER.search(content):
                    report(
                        call,
                        "c/hardcoded-credentials",
                        f"{function_name} is given a password written in the source.",
                        "warning",
                    )
            elif function_name in _CONNECTS and any(_DSN.search(literal_of(one) or "") for one in given):
                report(call, "c/hardcoded-credentials", "A credential is written into the program.", "warning")
    _kept(unit, report)


def _mode(unit: Unit, call: Node, given: list[Node], function: str, report: Report) -> None:
    mode = given[_MODE_PLACE[called(call)]]
    value = unit.constant(mode)
    if value is None:
        return
    if value & _OTHERS_MAY_WRITE:
        report(call, "c/weak-file-permissions", f"The mode {text(mode)} lets others write.", "warning")
    elif value & _OTHERS_MAY_READ and called(call) not in ("mkdir", "mkfifo"):
        words = " ".join([function, *(text(one) for one in given)]).replace("_", " _")
        if _PRIVATE.search(words.replace(" _", "_")):
            report(
                call,
                "c/weak-file-permissions",
                f"The mode {text(mode)} lets others read a file that holds a secret.",
                "warning",
            )


def _compared(call: Node, given: list[Node], report: Report) -> None:
    for one, other in (given[:2], given[1::-1]):
        content = literal_of(one)
        if content and len(content) >= 3 and not _PLACEHOLDER.search(content) and _is_secret(_last_name(other)):
            report(call, "c/hardcoded-credentials", f"{text(other)} is compared with text in the program.", "warning")


def _kept(unit: Unit, report: Report) -> None:
    for _, name, declarator, value in declarations(unit.root):
        content = literal(value) if value is not None else None
        if content and len(content) >= 4 and " " not in content and _is_secret(name) and "%" not in content:
            report(declarator, "c/hardcoded-credentials", f"{name} is written into the program.", "warning")
    for node in walk(unit.root):
        if node.type != "preproc_def" or not _is_secret(text(node.child_by_field_name("name"))):
            continue
        if re.fullmatch(r'"[^"% ()\[\]<>*$]{4,}"', text(node.child_by_field_name("value")).strip()):
            report(node, "c/hardcoded-credentials", "A credential is written into the program.", "warning")


def _last_name(node: Node) -> str:
    """Return the name of a variable or member: ``pw_name`` for ``entry->pw_name``."""
    node = bare(node)
    if node.type == "field_expression":
        return text(node.child_by_field_name("field"))
    argument = node.child_by_field_name("argument")
    return _last_name(argument) if argument is not None and node.type != "call_expression" else text(node)


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)
