"""Commands, queries and paths that a C program builds from text that comes from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Report, Unit, arguments, bare, called, literal, text, walk
from cosec.checking.c.texts.guards import literal_of
from cosec.checking.c.texts.sources import Text, Texts

if TYPE_CHECKING:
    from tree_sitter import Node

_COMMAND, _SQL, _PATH = "c/command-injection", "c/sql-injection", "c/path-traversal"
_SINKS: dict[str, tuple[tuple[int, ...], str]] = {
    **dict.fromkeys(("system", "popen", "_popen", "_wsystem", "wordexp", "WinExec"), ((0,), _COMMAND)),
    **dict.fromkeys(("g_spawn_command_line_sync", "g_spawn_command_line_async"), ((0,), _COMMAND)),
    **dict.fromkeys(("sqlite3_exec", "sqlite3_prepare", "sqlite3_prepare_v2", "sqlite3_prepare_v3"), ((1,), _SQL)),
    **dict.fromkeys(("sqlite3_get_table", "mysql_query", "mysql_real_query", "PQexec", "PQsendQuery"), ((1,), _SQL)),
    **dict.fromkeys(("mysql_stmt_prepare", "SQLExecDirect"), ((1,), _SQL)),
    **dict.fromkeys(
        ("fopen", "fopen64", "freopen", "open", "open64", "creat", "unlink", "remove", "rmdir"), ((0,), _PATH)
    ),
    **dict.fromkeys(("opendir", "dlopen", "mkdir", "truncate", "chmod", "chown", "mknod"), ((0,), _PATH)),
    **dict.fromkeys(("openat", "unlinkat", "mkdirat"), ((1,), _PATH)),
    **dict.fromkeys(("rename", "link", "symlink"), ((0, 1), _PATH)),
}
_TITLES = {
    _COMMAND: "A shell command is built from untrusted text",
    _SQL: "SQL is built from untrusted text",
    _PATH: "A path is built from untrusted text",
}
_DANGERS = {_COMMAND: "command", _SQL: "sql", _PATH: "path"}
_LISTED = frozenset({"execl", "execlp", "execle", "spawnl", "spawnlp", "_execl", "_execlp", "_spawnl", "_spawnlp"})
_ARRAYS = {"execv": 1, "execvp": 1, "execve": 1, "execvpe": 1, "fexecve": 1, "posix_spawn": 4, "posix_spawnp": 4}
_SHELL = re.compile(
    r"(^|[/\\])(sh|bash|dash|zsh|ksh|csh|tcsh|ash|fish|busybox|cmd(\.exe)?|env|sudo|su|perl|python[\d.]*)$"
)
_COMMAND_OPTION = re.compile(r"-[a-z]*c$|/[cC]$|-e$")


def look(unit: Unit, texts: Texts, report: Report) -> None:
    """Check a whole file."""
    for function in unit.functions.values():
        for call in walk(function):
            name, given = called(call), arguments(call)
            if name in _SINKS and name not in unit.functions:
                places, pattern = _SINKS[name]
                for place in places:
                    if place < len(given) and _reaches(texts, given[place], function, pattern):
                        report(call, pattern, f"{_TITLES[pattern]}: {text(given[place])}.")
            elif name in _LISTED or name in _ARRAYS:
                _executed(texts, call, function, report)


def _reaches(texts: Texts, node: Node, function: Node, pattern: str) -> bool:
    found = texts.of(node, function)
    if found is None or _DANGERS[pattern] not in found.harms:
        return False
    return pattern != _PATH or _chooses_path(found)


def _chooses_path(found: Text) -> bool:
    """Tell whether others choose the path: a user of this machine may name a file of their own."""
    return found.built or found.remote


def _executed(texts: Texts, call: Node, function: Node, report: Report) -> None:
    """Look for the command that a shell is started with: ``execl("/bin/sh", "sh", "-c", command, NULL)``."""
    name, given = called(call), arguments(call)
    if not given:
        return
    if name in _ARRAYS:
        place = _ARRAYS[name]
        listed = _elements(given[place], function) if place < len(given) else {}
        words = [given[0], *(listed[at] for at in sorted(listed))]
    else:
        words = given
    contents = [literal_of(one) for one in words]
    if not any(_SHELL.search(content) for content in contents[:3] if content is not None) and contents[0] is not None:
        return
    for at, content in enumerate(contents[:-1]):
        if at and content is not None and _COMMAND_OPTION.match(content):
            command = words[at + 1]
            if _reaches(texts, command, function, _COMMAND):
                report(call, _COMMAND, f"{_TITLES[_COMMAND]}: {text(command)}.")
            return


def _elements(array: Node, function: Node) -> dict[int, Node]:
    """Return the elements of an array of arguments by their places."""
    array = bare(array)
    found: dict[int, Node] = {}
    value = array if array.type in ("compound_literal_expression", "initializer_list") else None
    name = text(array)
    for node in walk(function):
        if node.type == "init_declarator":
            declarator = node.child_by_field_name("declarator")
            if declarator is not None and any(text(one) == name for one in walk(declarator)):
                value = node.child_by_field_name("value")
        elif node.type == "assignment_expression" and (left := node.child_by_field_name("left")) is not None:
            index, right = left.child_by_field_name("index"), node.child_by_field_name("right")
            if index is None or right is None or text(left.child_by_field_name("argument")) != name:
                continue
            # ``args[n++] = word``: the order of the assignments is that of the elements.
            found[int(text(index)) if text(index).isdigit() else len(found)] = right
    if value is not None:
        listed = next((one for one in walk(value) if one.type == "initializer_list"), None)
        for place, one in enumerate(listed.named_children if listed is not None else ()):
            found.setdefault(place, one)
    return {place: one for place, one in found.items() if literal(one) is not None or text(one) != "NULL"}
