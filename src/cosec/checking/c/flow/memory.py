"""Checks of C pointers: unchecked NULL, use after free; and where pointers and indices of one function are followed.

Each check looks at the facts that hold at an expression (`flow.FunctionFlow`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts, without_nulls
from cosec.checking.c.flow.library_memory import RELEASES, WHOLE_RELEASES
from cosec.checking.c.flow.members import Members
from cosec.checking.c.flow.releases import Releases
from cosec.checking.c.flow.results import alternatives
from cosec.checking.c.flow.summaries import Summaries
from cosec.checking.c.reading.input import READS
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Report, Unit, arguments, bare, called, declared_name, text, walk
from cosec.checking.c.reading.trees import takes_address
from cosec.checking.c.reading.types import SharedTypes

if TYPE_CHECKING:
    from tree_sitter import Node


_ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "strdup", "strndup", "fopen", "fdopen", "popen", "tmpfile"})
_ALLOCATORS |= {"reallocarray", "aligned_alloc", "fmemopen", "freopen"}
_SEARCHES = frozenset({"strchr", "strrchr", "strstr", "strpbrk", "memchr", "bsearch", "getenv", "opendir", "strtok"})
_SEARCHES |= {
    "secure_getenv",
    "strcasestr",
    "getcwd",
    "realpath",
    "getservbyname",
    "getpwnam",
    "getpwuid",
    "getgrnam",
    "gethostbyname",
    "readdir",
    "strtok_r",
}
_SEARCHES |= {"cJSON_Parse", "cJSON_GetObjectItem"}
_CALENDAR = frozenset({"localtime", "gmtime", "localtime_r", "gmtime_r"})
_NULL_REFUSED = frozenset(
    {
        "strcpy",
        "strncpy",
        "strcat",
        "strncat",
        "strlen",
        "strcmp",
        "strncmp",
        "strcasecmp",
        "strchr",
        "strrchr",
        "strstr",
    }
    | {"strdup", "strtok", "strspn", "strcspn", "memcpy", "memset", "memmove", "memcmp", "sprintf", "snprintf", "atoi"}
    | {
        "atol",
        "atoll",
        "atof",
        "strtol",
        "strtoul",
        "strtoll",
        "strtoull",
        "strtod",
        "fgets",
        "fread",
        "fwrite",
        "fgetc",
    }
    | {"getc", "fputs", "fputc", "puts", "fscanf", "sscanf", "getline", "read", "write", "fseek", "ftell", "rewind"}
    | {"fclose", "readdir", "closedir", "pclose", "strncasecmp", "stpcpy", "mktime", "asctime"}
)
"""Library functions that do not accept NULL."""

_RETURNING = frozenset({"printf", "fprintf", "perror", "putchar", "syslog", "fflush", "strerror", "free", "close"})
_RETURNING |= _NULL_REFUSED
"""Library functions after which the program goes on."""


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """What is known about a function from the rest of its file."""

    sizes: SizesOf
    types: SharedTypes
    summaries: Summaries
    members: Members


class MemoryFlow(Releases):
    """Checks one function."""

    def __init__(self, unit: Unit, function: Node, report: Report, context: FunctionContext) -> None:
        super().__init__(unit, function, report, context.sizes, context.types)
        self._summaries, self.members, self.into = context.summaries, context.members, context.summaries.into
        self.effects = context.summaries.effects
        self.passed: dict[tuple[str, int], Facts] = {}
        """Numbers from outside that are passed to local functions."""

    def see(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at one expression."""
        if node.type in ("pointer_expression", "field_expression", "subscript_expression"):
            self._dereference(node, state)
        elif node.type == "call_expression":
            self._call(node, state)
        elif node.type in ("assignment_expression", "init_declarator"):
            self._assign(node, state)
        elif node.type == "return_statement":
            self.returned(node, state)
        elif node.type == "identifier" and node.parent is not None and node.parent.type == "expression_statement":
            state.update(without_nulls(state) or {})  # a macro, which may leave the function
        elif node.type == "declaration":
            self._begin(node, state)
        elif node.type == "binary_expression":
            self._binary(node, state)
        elif node.type == "update_expression":
            self._updated(node, state)

    def _updated(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at ``name++`` or ``name--``."""
        name = text(node.child_by_field_name("argument"))
        if state.get(name, Facts()).unchecked:
            self._use(name, node, state)
        if text(node).endswith(("++", "--")):
            self.before[node.id] = state.get(name, Facts())
        self.counted(node, name, state)
        state[name] = replace(state[name], used_at=0)
        self.forget(name, state)

    def facts(self, node: Node, state: dict[str, Facts]) -> Facts:
        """Return what is known about the value of an expression."""
        name = called(bare(node))
        nullable = name in _ALLOCATORS or name in _SEARCHES or name in self._summaries.nullable
        nullable = nullable or (name == "strsep" and self._is_called_before(name, node))
        if nullable or (name in _CALENDAR and self._may_be_any_time(arguments(bare(node)))):
            return state.get(text(bare(node))) or Facts(unchecked=True)
        if name in self._summaries.negative:
            return Facts(negative=True, low=-1)
        return super().facts(node, state)

    def _is_called_before(self, name: str, node: Node) -> bool:
        """Tell whether a function is called earlier too: the first part of a text always exists."""
        return any(called(one) == name and one.start_byte < bare(node).start_byte for one in walk(self.function))

    def _may_be_any_time(self, given: list[Node]) -> bool:
        """Tell whether the time that a call converts is none that ``time()`` returned: a year may be too large."""
        name = text(bare(given[0])).removeprefix("&") if given else ""
        return name in self.parameters and name not in self.reassigned

    def _dereference(self, node: Node, state: dict[str, Facts]) -> None:
        if node.type == "pointer_expression" and not text(node).startswith("*"):
            return
        if node.type == "field_expression" and text(node.child_by_field_name("operator")) != "->":
            return
        pointer = node.child_by_field_name("argument")
        if pointer is None:
            return
        if node.type == "subscript_expression":
            self.index(node, state)
        if called(bare(pointer)) and self.facts(pointer, state).unchecked:
            self._may_be_null(node, text(bare(pointer)))
        self._use(text(bare(pointer)), node, state)

    def _use(self, name: str, node: Node, state: dict[str, Facts]) -> None:
        facts = state.get(name, Facts())
        if facts.freed:
            self.after_free(node, f"{name} is used after it was {self.how(facts)}.", facts)
        elif facts.unchecked or (facts.null and not takes_address(node)):
            self._may_be_null(node, name)
            state[name] = replace(facts, unchecked=False, null=False)  # said once
        elif not takes_address(node):
            self.dereferenced(name, node, state)

    def _may_be_null(self, node: Node, name: str) -> None:
        self.report(node, "c/null-dereference", f"{name} may be NULL here; check it first.", "warning")

    def _call(self, node: Node, state: dict[str, Facts]) -> None:
        name, given = called(node), arguments(node)
        local = name in self.unit.functions and name not in self.parameters
        if local:
            self.moves(node, name, given, state)
        self.release_members(node, name, given, state)
        for place, argument in enumerate(given):
            self._argument(node, place, argument, state)
            if local and (passed := self.facts(argument, state)).outside:
                self.passed[name, place] = passed
            self._filled(name, given, argument, state)
        if name not in _RETURNING:
            state.update(without_nulls(state) or {})
        if local:
            self.drops(node, name, given, state)
        self.copied(node, name, given, state)

    def _argument(self, node: Node, place: int, argument: Node, state: dict[str, Facts]) -> None:
        """Look at one argument of a call: is it released, or was it?"""
        name, key = called(node), text(bare(argument))
        released = self._summaries.freed.get(name, {0} if name in RELEASES else set())
        whole = name in WHOLE_RELEASES and key.startswith("&")
        gone = next((text(one) for one in alternatives(argument) if state.get(text(one), Facts()).freed), "")
        if place in released and (whole or bare(argument).type in ("identifier", "field_expression")):
            key = key.removeprefix("&")
            facts = state.get(key, Facts())
            if facts.freed and not facts.possibly:
                self.after_free(node, f"{key} is {self.how(facts)} twice.", facts)
            self.release(key, node, state)
        elif gone:
            counted = state[gone].possibly and place in self.effects.dropped.get(name, {})
            if not counted and not self._summaries.ignores(name, place, arguments(node)):
                self.after_free(node, f"{gone} is used after it was {self.how(state[gone])}.", state[gone])
        elif self._refuses_null(name, place, argument):
            passed = self.facts(argument, state)
            if passed.unchecked or passed.null:
                self._may_be_null(node, key)

    def _refuses_null(self, name: str, place: int, argument: Node) -> bool:
        # The library prints a text that is NULL.
        printed = place > 0 and bool(called(bare(argument))) and name.endswith("printf")
        return name in _NULL_REFUSED and name not in self.unit.functions and not printed

    def _filled(self, name: str, given: list[Node], argument: Node, state: dict[str, Facts]) -> None:
        """Forget what is known of variables whose address a call takes."""
        place = argument.child_by_field_name("argument")
        if argument.type == "pointer_expression" and text(argument).startswith("&") and place is not None:
            inner, kind = text(place), self.types.of(place)
            letter = kind is not None and kind.bits == 8 and kind.signed and name in READS
            number = self.types.is_struct(place) if kind is None else not letter
            outside = (name.endswith("scanf") or name in READS) and number
            self.forget(inner, state)
            message = ""
            if name in ("memcpy", "memmove") and argument == given[0] and len(given) > 1:
                message = self.buffer_of(given[1])
            low = 0 if kind is not None and not kind.signed else None
            high = kind.high if kind is not None and kind.bits == 8 and low == 0 else None
            state[inner] = Facts(outside=outside, message=message, low=low, high=high)

    def _assign(self, node: Node, state: dict[str, Facts]) -> None:
        left = node.child_by_field_name("left") or node.child_by_field_name("declarator")
        right = node.child_by_field_name("right") or node.child_by_field_name("value")
        if left is None or right is None:
            return
        if node.type == "assignment_expression" and text(bare(left)).startswith("*"):
            self._assign_behind(bare(left).child_by_field_name("argument"), state)
            return
        name = declared_name(left) if left.type == "pointer_declarator" else text(bare(left))
        if text(node.child_by_field_name("operator")) not in ("", "="):
            self.sum(node, left, right, state)
            self.gathered(node, name, right)
            if state.get(name, Facts()).unchecked:
                self._use(name, node, state)
            before = state.get(name, Facts())
            self.forget(name, state)
            moved_on = Facts(freed=before.freed, freed_at=before.freed_at, message=before.message)
            state[name] = replace(moved_on, same=before.same, within=before.within, owner=before.owner)
            return
        facts = self.assigned(name, right, self.facts(right, state))
        self.kept(node, name, right, state)
        moved = self.moved(bare(right), name, state)
        self.forget(name, state)
        kin = self.related(name, right, state)
        state[name] = replace(facts, moved=moved, same=kin.same, within=kin.within, owner=kin.owner)

    def _assign_behind(self, pointer: Node | None, state: dict[str, Facts]) -> None:
        """Take in ``*pointer = …``: what was known of the object is void; ``*(T **)&name = …`` is a new ``name``."""
        pointer = bare(pointer) if pointer is not None else None
        name = text(pointer)
        if name.startswith("&") and pointer is not None:
            name = text(pointer.child_by_field_name("argument"))
            self.forget(name, state)
            state.pop(name, None)
            return
        for other in [one for one in state if re.match(rf"(\(\*)?{re.escape(name)}\)?(->|\.|\[)", one)]:
            del state[other]

    def _begin(self, node: Node, state: dict[str, Facts]) -> None:
        """Take in a declaration: a variable without a value is a new one in each turn of a loop."""
        if text(node).startswith(("static", "extern")):
            return
        for one in node.children_by_field_name("declarator"):
            if one.type in ("identifier", "pointer_declarator", "array_declarator"):
                name = declared_name(one)
                self.forget(name, state)
                state.pop(name, None)

    def _binary(self, node: Node, state: dict[str, Facts]) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if text(node.child_by_field_name("operator")) in ("+", "-") and state.get(text(left), Facts()).unchecked:
            self._use(text(left), node, state)
        self.sum(node, left, right, state)
