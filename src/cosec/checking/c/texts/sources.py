"""Which texts of a C program come from outside, and how they are put together.

Texts are followed by name through one file: through copies, formats, parameters, results, members and variables outside
functions. A text that the program has looked at is trusted for what the look refuses (`guards.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import (
    Unit,
    arguments,
    bare,
    called,
    declarations,
    literal,
    parameters,
    text,
    walk,
    words,
)
from cosec.checking.c.texts.guards import DANGERS, Guards, key_of

if TYPE_CHECKING:
    from tree_sitter import Node

_FILLED = dict.fromkeys(words("fgets gets getline getdelim fread fgetws gets_s"), 0)
_FILLED |= dict.fromkeys(words("read pread recv recvfrom SSL_read BIO_read"), 1)
_NETWORK = frozenset({"recv", "recvfrom", "SSL_read", "BIO_read"})
_COPIES = words(
    "strcpy strcat strncpy strncat memcpy memmove stpcpy strlcpy strlcat wcscpy wcscat wcsncpy wcsncat realpath mempcpy"
    " stpncpy"
)
_PASS = words(
    "strdup strndup strtok strtok_r g_strdup xstrdup strchr strrchr strstr strpbrk wcsdup realpath"
    " canonicalize_file_name strcpy strcat fgets"
)
"""Functions that return their first argument, a part or a copy of it."""
_FORMATS = {"sprintf": 1, "snprintf": 2, "asprintf": 1, "vsprintf": 1, "vsnprintf": 2, "vasprintf": 1, "swprintf": 2}
_FORMATS |= {"g_strdup_printf": 0, "g_snprintf": 2, "xasprintf": 0}
_CHARACTERS = frozenset({"getchar", "fgetc", "getc", "getwchar", "fgetwc"})
_LINES = frozenset({"readline", "getpass", "rl_gets", "cgiParam"})
_OWN_COMMANDS = frozenset({"EDITOR", "VISUAL", "PAGER", "BROWSER", "SHELL", "MANPAGER", "GIT_EDITOR", "TERM"})
"""Variables of the environment that name a program for the user's own use."""
_WEB = re.compile(r"^(HTTP_|QUERY_STRING$|PATH_INFO$|REQUEST_|SCRIPT_|CONTENT_|REMOTE_USER$|DOCUMENT_URI$)")
_CONVERSION = re.compile(r"%[-+ #0]*(\*|\d+)?(\.(?:\*|\d+))?(?:[hlzjtL]*)([a-zA-Z%\[])")
_MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Text:
    """A text from outside."""

    built: bool = False
    """Whether it stands behind text that is not from outside."""

    remote: bool = False
    """Whether it comes from another machine: a socket, a request to a web server."""

    harms: frozenset[str] = frozenset(DANGERS)
    """The kinds of harm that it can still do."""

    def joined(self, other: Text | None) -> Text:
        """Return what holds of either text."""
        if other is None:
            return self
        return Text(self.built or other.built, self.remote or other.remote, self.harms | other.harms)


class Texts:
    """The variables of each function that hold text from outside."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.guards = Guards(unit)
        self._held: dict[int, dict[str, Text]] = {function.id: {} for function in unit.functions.values()}
        self._shared: dict[str, Text] = {}
        self._results: dict[str, Text] = {}
        self._fills: dict[tuple[str, int], Text] = {}
        self._own = {function.id: _declared(function) for function in unit.functions.values()}
        outside = {name for node in unit.root.named_children for _, name, _, _ in declarations(node) if name}
        self._globals = outside if unit.functions else set()
        self._names = {function.id: name for name, function in unit.functions.items()}
        kinds = ("init_declarator", "assignment_expression", "call_expression", "return_statement")
        relevant = {
            function.id: [node for node in walk(function) if node.type in kinds] for function in unit.functions.values()
        }
        for _ in range(_MOST_ROUNDS):
            before = ({key: dict(held) for key, held in self._held.items()}, dict(self._shared), dict(self._fills))
            for function in unit.functions.values():
                for node in relevant[function.id]:
                    self._spread(node, function)
            if before == (self._held, self._shared, self._fills):
                break

    def of(self, node: Node, function: Node) -> Text | None:
        """Return what is known of an expression if it is a text from outside that can still do harm."""
        node = bare(node)
        found = self._state(node, function)
        key = key_of(node)
        if found is None or not key:
            return found
        left = frozenset(one for one in found.harms if not self.guards.clean(function, key, one))
        return replace(found, harms=left) if left else None

    def _state(self, node: Node, function: Node) -> Text | None:
        name, call, given = text(node), called(node), arguments(node)
        held = self._look_up(function, name)
        if held is not None:
            return held
        if call:
            return self._result(node, call, given, function)
        if name == "optarg" or (
            node.type in ("subscript_expression", "pointer_expression") and re.match(r"\*?\(?argv\b", name)
        ):
            return Text()
        if node.type == "conditional_expression":
            sides = [node.child_by_field_name(side) for side in ("consequence", "alternative")]
            found = [self.of(one, function) for one in sides if one is not None]
            return next((one for one in found if one is not None), None)
        if node.type == "subscript_expression" and (array := node.child_by_field_name("argument")) is not None:
            return self._look_up(function, text(bare(array)))
        if node.type in ("binary_expression", "pointer_expression", "assignment_expression"):
            inner = node.child_by_field_name("left") or node.child_by_field_name("argument")
            return self.of(inner, function) if inner is not None else None
        return None

    def _result(self, node: Node, call: str, given: list[Node], function: Node) -> Text | None:
        if call in ("getenv", "secure_getenv"):
            return _of_environment(node)
        if call in _LINES:
            return Text()
        if call in _PASS and given:
            return self.of(given[0], function)
        if _FORMATS.get(call) == 0 and given:
            return self.formatted(given, function)
        return self._results.get(call)

    def _look_up(self, function: Node, name: str) -> Text | None:
        held = self._held[function.id].get(name)
        if held is not None:
            return held
        if name in self._globals and name not in self._own[function.id]:
            return self._shared.get(name)
        member = re.search(r"(?:->|\.)(\w+)$", name)
        if member is None:
            return None
        whole = self._held[function.id].get(name.removesuffix(member[0]))  # a struct whose bytes were read at once
        return self._shared.get(f".{member[1]}", whole if member[0].startswith(".") else None)

    def _spread(self, node: Node, function: Node) -> None:
        if node.type == "call_expression":
            self._called(node, function)
        elif node.type == "return_statement":
            state = self.of(node.named_children[0], function) if node.named_children else None
            if state is not None:
                name = self._names[function.id]
                self._results[name] = state.joined(self._results.get(name))
        else:
            left = node.child_by_field_name("declarator") or node.child_by_field_name("left")
            right = node.child_by_field_name("value") or node.child_by_field_name("right")
            if left is None or right is None:
                return
            inner = bare(left)
            if called(bare(right)) in _CHARACTERS:
                self._hold(function, text(inner), Text())
            base = inner.child_by_field_name("argument") if inner.type == "subscript_expression" else None
            if base is not None and bare(right).type in ("identifier", "call_expression"):
                self._hold(function, text(bare(base)), self.of(right, function))
            if base is None or inner.type != "subscript_expression" or text(base) in self._held[function.id]:
                self._hold(function, text(inner).lstrip("* ").split("[")[0], self.of(right, function))

    def _called(self, call: Node, function: Node) -> None:
        name, given = called(call), arguments(call)
        if name in _FILLED and len(given) > _FILLED[name]:
            target = given[_FILLED[name]]
            remote = name in _NETWORK
            tail = bare(target).type == "binary_expression"
            self._hold(function, key_of(target), Text(built=tail, remote=remote))
        elif name.endswith("scanf"):
            self._scanned(name, given, function)
        elif name in _COPIES and len(given) >= 2:
            state = self.of(given[1] if name != "realpath" else given[0], function)
            target = given[0] if name != "realpath" else given[1]
            if state is not None:
                tail = name.endswith(("cat", "ncat", "lcat")) or bare(target).type == "binary_expression"
                self._hold(function, key_of(target), replace(state, built=state.built or tail))
        elif name in _FORMATS and len(given) > _FORMATS[name] and _FORMATS[name] > 0:
            self._hold(function, key_of(given[0]), self.formatted(given[_FORMATS[name] :], function))
        elif name in self.unit.functions:
            self._passed(name, given, function)

    def _scanned(self, name: str, given: list[Node], function: Node) -> None:
        at = next((number for number, one in enumerate(given) if literal(one) is not None), None)
        if at is None:
            return
        if name == "sscanf" and self.of(given[0], function) is None:
            return
        kinds = [
            kind for width, _, kind in _CONVERSION.findall(literal(given[at]) or "") if width != "*" and kind != "%"
        ]
        for kind, one in zip(kinds, given[at + 1 :], strict=False):
            if kind in ("s", "["):
                self._hold(function, key_of(one), Text())

    def formatted(self, given: list[Node], function: Node) -> Text | None:
        """Return what is known of a text that a format puts together."""
        form = literal(given[0])
        if form is None:
            return self.of(given[0], function)
        found: Text | None = None
        at, values, before = 0, given[1:], False
        end = 0
        for one in _CONVERSION.finditer(form):
            before = before or one.start() > end
            end = one.end()
            if one[3] == "%":
                before = True
                continue
            at += (one[1] == "*") + ("*" in (one[2] or ""))
            value = values[at] if at < len(values) else None
            at += 1
            state = self.of(value, function) if one[3] in ("s", "S") and value is not None else None
            if state is not None:
                found = replace(state, built=state.built or before).joined(found)
            elif one[3] != "c":
                before = True
        return found

    def _passed(self, name: str, given: list[Node], function: Node) -> None:
        target = self.unit.functions[name]
        for one in given[len(parameters(target)) :]:
            if (state := self.of(one, function)) is not None:
                self._filled_in(target, state)
        for place, (one, parameter) in enumerate(zip(given, parameters(target), strict=False)):
            self._hold(target, parameter.name, self.of(one, function))
            if (name, place) in self._fills:
                self._hold(function, key_of(one), self._fills[name, place])

    def _filled_in(self, target: Node, state: Text) -> None:
        """Note that a function of any number of arguments is given a text, which it fills in with ``vsnprintf``."""
        calls = (node for node in walk(target) if called(node) in ("vsprintf", "vsnprintf", "vasprintf"))
        for given in filter(None, map(arguments, calls)):
            self._hold(target, key_of(given[0]), replace(state, built=True))

    def _hold(self, function: Node, name: str, state: Text | None) -> None:
        if state is None or not name:
            return
        held = self._held[function.id]
        if name in self._globals and name not in self._own[function.id]:
            held = self._shared
        member = re.search(r"(?:->|\.)(\w+)$", name)
        if member is not None:
            self._shared[f".{member[1]}"] = state.joined(self._shared.get(f".{member[1]}"))
        held[name] = state.joined(held.get(name))
        places = self._own[function.id].get(name)
        if places is not None and places >= 0:
            self._filled_parameter(function, places, held[name])

    def _filled_parameter(self, function: Node, place: int, state: Text) -> None:
        name = self._names[function.id]
        if (name, place) in self._fills or self._writes(function, place):
            self._fills[name, place] = state.joined(self._fills.get((name, place)))

    def _writes(self, function: Node, place: int) -> bool:
        """Tell whether a function puts text into one of its parameters."""
        name = parameters(function)[place].name
        for call in (node for node in walk(function) if node.type == "call_expression"):
            given, at = arguments(call), _FILLED.get(called(call), 0)
            writes = called(call) in _FILLED or called(call) in _COPIES or called(call) in _FORMATS
            if writes and at < len(given) and key_of(given[at]) == name:
                return True
        return False


def _of_environment(call: Node) -> Text | None:
    name = literal(arguments(call)[0]) if arguments(call) else None
    if name in _OWN_COMMANDS:
        return None
    return Text(remote=bool(name and _WEB.match(name)))


def _declared(function: Node) -> dict[str, int]:
    """Return the names that a function declares: parameters with their place, others with -1."""
    found = {name: -1 for _, name, _, _ in declarations(function) if name}
    return found | {one.name: place for place, one in enumerate(parameters(function)) if one.name}
