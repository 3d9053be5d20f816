"""Checks of text in C: commands, paths and queries built from input, credentials, file modes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.syntax import Report, Unit, arguments, bare, called, declarations, literal, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_SINKS = {
    "system": (0, "c/command-injection"),
    "popen": (0, "c/command-injection"),
    "sqlite3_exec": (1, "c/sql-injection"),
    "sqlite3_prepare": (1, "c/sql-injection"),
    "sqlite3_prepare_v2": (1, "c/sql-injection"),
    "mysql_query": (1, "c/sql-injection"),
    "mysql_real_query": (1, "c/sql-injection"),
    "PQexec": (1, "c/sql-injection"),
    "fopen": (0, "c/path-traversal"),
    "open": (0, "c/path-traversal"),
    "unlink": (0, "c/path-traversal"),
    "remove": (0, "c/path-traversal"),
    "opendir": (0, "c/path-traversal"),
}
_TITLES = {
    "c/command-injection": "A shell command is built from untrusted text",
    "c/sql-injection": "SQL is built from untrusted text",
    "c/path-traversal": "A path is built from untrusted text",
}
_FILLED = {"fgets": 0, "read": 1, "recv": 1, "fread": 0, "gets": 0, "getline": 0}
_COPIES = frozenset({"strcpy", "strcat", "strncpy", "strncat", "memcpy", "stpcpy", "strlcpy", "strlcat"})
_PASS = frozenset({"strdup", "strndup", "strtok", "basename_raw", "g_strdup"})
_LOOKS = frozenset({"strlen", "access", "stat", "fopen", "printf", "fprintf", "snprintf", "sprintf", "fgets", "scanf"})
_LOOKS |= {"sscanf", "fscanf", "read", "recv", "fread", "malloc", "feof", "getenv", "system", "popen", "open", "unlink"}
_LOOKS |= {"remove", "opendir", "sqlite3_exec", "mysql_query", "PQexec", "strcspn"}
_SECRET = re.compile(r"(password|passwd|passphrase|secret|api_?key|auth_?token|access_?token|\bpwd\b|_pwd\b)", re.I)
_NO_SECRET = re.compile(r"(prompt|file|path|env|field|label|hash|length|len|size|message|msg|hint|url|name|var)$", re.I)
_MODE_PLACE = {"open": 2, "creat": 1, "chmod": 1, "fchmod": 1, "mkdir": 1, "openat": 3, "mkfifo": 1}
_OTHERS_MAY_WRITE = 0o002
_ROUNDS = 4


def look(unit: Unit, report: Report) -> None:
    """Check a whole file."""
    flows = _Texts(unit)
    for function in unit.functions.values():
        for call in walk(function):
            name, given = called(call), arguments(call)
            if name in _SINKS and len(given) > _SINKS[name][0]:
                pattern = _SINKS[name][1]
                if flows.is_untrusted(given[_SINKS[name][0]], function, built=pattern == "c/path-traversal"):
                    report(call, pattern, f"{_TITLES[pattern]}: {text(given[_SINKS[name][0]])}.")
            if name in _MODE_PLACE and len(given) > _MODE_PLACE[name]:
                _mode(unit, call, given[_MODE_PLACE[name]], report)
            if name in ("strcmp", "strncmp", "strcasecmp") and len(given) >= 2:
                _compared(call, given, report)
    _kept(unit, report)


class _Texts:
    """The variables of each function that hold text from outside, and whether other text was added to it."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._held: dict[int, dict[str, bool]] = {function.id: {} for function in unit.functions.values()}
        self._clean = {function.id: _looked_at(function) for function in unit.functions.values()}
        for _ in range(_ROUNDS):
            for function in unit.functions.values():
                self._spread(function)

    def is_untrusted(self, node: Node, function: Node, *, built: bool) -> bool:
        """Tell whether an expression holds text from outside; with ``built``, only text that was put together."""
        state = self._state(node, function)
        return state is not None and (state or not built)

    def _state(self, node: Node, function: Node) -> bool | None:
        node = bare(node)
        held, name = self._held[function.id], text(node)
        if name in self._clean[function.id]:
            return None
        if name in held:
            return held[name]
        if node.type == "subscript_expression" and re.match(r"argv\b", name):
            return False
        if called(node) == "getenv":
            return False
        if called(node) in _PASS and arguments(node):
            return self._state(arguments(node)[0], function)
        if node.type in ("binary_expression", "pointer_expression", "assignment_expression"):
            inner = node.child_by_field_name("left") or node.child_by_field_name("argument")
            return self._state(inner, function) if inner is not None else None
        return None

    def _spread(self, function: Node) -> None:
        for node in walk(function):
            if node.type in ("init_declarator", "assignment_expression"):
                left = node.child_by_field_name("declarator") or node.child_by_field_name("left")
                right = node.child_by_field_name("value") or node.child_by_field_name("right")
                if left is not None and right is not None:
                    self._hold(function, text(left).lstrip("* "), self._state(right, function))
            elif node.type == "call_expression":
                self._called(node, function)

    def _called(self, call: Node, function: Node) -> None:
        name, given = called(call), arguments(call)
        if name in _FILLED and len(given) > _FILLED[name]:
            self._hold(function, text(given[_FILLED[name]]).lstrip("&"), False)
        elif name.endswith("scanf"):
            form = next((literal(one) for one in given if literal(one) is not None), "") or ""
            if re.search(r"%\d*[s\[]", form):
                for one in given[1:]:
                    if bare(one).type == "identifier":
                        self._hold(function, text(one), False)
        elif name in _COPIES and len(given) >= 2:
            state = self._state(given[1], function)
            self._hold(function, text(given[0]), True if state is not None and name.endswith("cat") else state)
        elif name in ("sprintf", "snprintf", "asprintf"):
            at = 2 if name == "snprintf" else 1
            if len(given) > at and self._printed(given[at:], function):
                self._hold(function, text(given[0]).lstrip("&"), (literal(given[at]) or "") != "%s")
        elif name in self._unit.functions:
            self._passed(name, given, function)

    def _printed(self, given: list[Node], function: Node) -> bool:
        kinds = re.findall(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:[hlzjtL]*)([a-zA-Z])", literal(given[0]) or "")
        return any(
            kind == "s" and self._state(value, function) is not None
            for kind, value in zip(kinds, given[1:], strict=False)
        )

    def _passed(self, name: str, given: list[Node], function: Node) -> None:
        target = self._unit.functions[name]
        declarator = target.child_by_field_name("declarator")
        names = [one for _, one, _, _ in declarations(declarator)] if declarator is not None else []
        for one, parameter in zip(given, names, strict=False):
            self._hold(target, parameter, self._state(one, function))

    def _hold(self, function: Node, name: str, state: bool | None) -> None:
        if state is not None and name:
            held = self._held[function.id]
            held[name] = held.get(name, False) or state


def _looked_at(function: Node) -> set[str]:
    """Return texts whose letters a condition tests, and the texts they were taken from; such tests are trusted."""
    found = set()
    for node in walk(function):
        condition = node.child_by_field_name("condition")
        if condition is None or node.type == "conditional_expression":
            continue
        for call in (one for one in walk(condition) if one.type == "call_expression"):
            if called(call) not in _LOOKS:
                found |= {text(one) for argument in arguments(call) for one in walk(argument)}
    aliases = [
        (text(node.child_by_field_name("declarator")).lstrip("* "), text(node.child_by_field_name("value")))
        for node in walk(function)
        if node.type == "init_declarator"
    ]
    found |= {value for name, value in aliases if name in found}
    return {one for one in found if re.fullmatch(r"[A-Za-z_]\w*(\[\d+\]|->\w+|\.\w+)*", one) and one != "argv"}


def _mode(unit: Unit, call: Node, mode: Node, report: Report) -> None:
    value = unit.constant(mode)
    if value is not None and value & _OTHERS_MAY_WRITE and "umask(" not in text(unit.root):
        report(call, "c/weak-file-permissions", f"The mode {text(mode)} lets others write.")


def _compared(call: Node, given: list[Node], report: Report) -> None:
    for one, other in (given[:2], given[1::-1]):
        content = literal(one)
        if content and _is_secret(text(other)):
            report(call, "c/hardcoded-credentials", f"{text(other)} is compared with text in the program.")


def _kept(unit: Unit, report: Report) -> None:
    for _, name, declarator, value in declarations(unit.root):
        content = literal(value) if value is not None else None
        if content and len(content) >= 4 and " " not in content and _is_secret(name) and "%" not in content:
            report(declarator, "c/hardcoded-credentials", f"{name} is written into the program.")
    for node in walk(unit.root):
        if node.type != "preproc_def" or not _is_secret(text(node.child_by_field_name("name"))):
            continue
        if re.fullmatch(r'"[^"% ]{4,}"', text(node.child_by_field_name("value")).strip()):
            report(node, "c/hardcoded-credentials", "A credential is written into the program.")


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)
