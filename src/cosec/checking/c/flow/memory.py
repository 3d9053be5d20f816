"""Checks of C pointers: unchecked NULL, use after free; and where pointers and indices of one function are followed.

Each check looks at the facts that hold at an expression (`flow.FunctionFlow`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow.facts import Facts, without_nulls
from cosec.checking.c.flow.late_checks import LateChecks
from cosec.checking.c.flow.numbers import READS
from cosec.checking.c.flow.summaries import Summaries
from cosec.checking.c.reading.sizes import SizesOf
from cosec.checking.c.reading.syntax import Report, Unit, arguments, bare, called, declared_name, text, walk
from cosec.checking.c.reading.trees import takes_address
from cosec.checking.c.reading.types import SharedTypes

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity

_ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "strdup", "strndup", "fopen", "fdopen", "popen", "tmpfile"})
_ALLOCATORS |= {"reallocarray", "aligned_alloc", "fmemopen", "freopen"}
_SEARCHES = frozenset({"strchr", "strrchr", "strstr", "strpbrk", "memchr", "bsearch", "getenv", "opendir", "strtok"})
_SEARCHES |= {"secure_getenv", "strcasestr", "getpwnam", "getpwuid", "getgrnam", "gethostbyname", "readdir", "strtok_r"}
_REALLOCS = frozenset({"realloc", "reallocarray"})
_RELEASES = frozenset({"free", "fclose", "pclose", "cfree"})
_ACCEPT_NULL = frozenset({"free", "realloc", "printf", "fprintf", "setvbuf", "time"})
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
    | {"fclose", "readdir", "closedir", "pclose", "strncasecmp", "stpcpy"}
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


class MemoryFlow(LateChecks):
    """Checks one function."""

    def __init__(self, unit: Unit, function: Node, report: Report, context: FunctionContext) -> None:
        super().__init__(unit, function, report, context.sizes, context.types)
        self._summaries = context.summaries
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
            self._returned(node, state)
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
        self.counted(node, name, state)
        state[name] = replace(state[name], used_at=0)
        self._forget(name, state)

    def facts(self, node: Node, state: dict[str, Facts]) -> Facts:
        """Return what is known about the value of an expression."""
        name = called(bare(node))
        if name in _ALLOCATORS or name in _SEARCHES or name in self._summaries.nullable:
            return state.get(text(bare(node))) or Facts(unchecked=True)
        return super().facts(node, state)

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
            self._after_free(node, f"{name} is used after it was freed.", facts)
        elif facts.unchecked or (facts.null and not takes_address(node)):
            self._may_be_null(node, name)
            state[name] = replace(facts, unchecked=False, null=False)  # said once
        elif not takes_address(node):
            self.dereferenced(name, node, state)

    def _after_free(self, node: Node, message: str, facts: Facts) -> None:
        """Report a use of memory that was freed.

        Where it was freed in an earlier turn of a loop, and a condition decides about the use, both may exclude each
        other. They do if the condition tests what is cleared after the memory was freed.
        """
        if node.start_byte <= facts.freed_at and self._cleared_after(facts.freed_at) & self._conditions_of(node):
            return
        guarded = False
        at: Node | None = node
        while at is not None and not at.start_byte <= facts.freed_at < at.end_byte:
            guarded = guarded or (at.parent is not None and at.parent.type == "if_statement")
            at = at.parent
        level: Severity = "warning" if guarded and node.start_byte < facts.freed_at else "error"
        self.report(node, "c/use-after-free", message, level)

    def _cleared_after(self, place: int) -> set[str]:
        """Return the variables that the block around a place sets to 0 after it."""
        block = self.function.descendant_for_byte_range(place, place)
        while block is not None and block.type != "compound_statement":
            block = block.parent
        return {
            text(one.child_by_field_name("left"))
            for one in (walk(block) if block is not None else ())
            if one.type == "assignment_expression"
            and one.start_byte > place
            and text(bare(one.named_children[-1])) in ("NULL", "0", "false", "FALSE")
        }

    def _conditions_of(self, node: Node) -> set[str]:
        """Return the variables in the conditions of the ``if`` statements around an expression."""
        conditions = []
        at: Node | None = node
        while at is not None and at != self.function:
            condition = at.child_by_field_name("condition") if at.type == "if_statement" else None
            conditions += [condition] if condition is not None else []
            at = at.parent
        return {text(one) for condition in conditions for one in walk(condition)}

    def _returned(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at what a function returns: its caller would use memory that was freed."""
        value = bare(node.named_children[0]) if node.named_children else None
        facts = state.get(text(value), Facts())
        if value is not None and value.type in ("identifier", "field_expression") and facts.freed:
            self._after_free(node, f"{text(value)} is returned after it was freed.", facts)

    def _may_be_null(self, node: Node, name: str) -> None:
        self.report(node, "c/null-dereference", f"{name} may be NULL here; check it first.", "warning")

    def _call(self, node: Node, state: dict[str, Facts]) -> None:
        name, given = called(node), arguments(node)
        released = self._summaries.freed.get(name, {0} if name in _RELEASES else set())
        local = name in self.unit.functions
        for place, argument in enumerate(given):
            key = text(bare(argument))
            facts = state.get(key, Facts())
            if place in released and bare(argument).type in ("identifier", "field_expression"):
                if facts.freed:
                    self._after_free(node, f"{key} is freed twice.", facts)
                self._release(key, name not in ("fclose", "pclose"), node, state)
            elif facts.freed and not self._summaries.ignores(name, place, given):
                self._after_free(node, f"{key} is used after it was freed.", facts)
            elif self._refuses_null(name, place, argument):
                passed = self.facts(argument, state)
                if passed.unchecked or passed.null:
                    self._may_be_null(node, key)
            if bare(argument).type == "identifier":
                self._members_may_move(key, state)
            if local and (passed := self.facts(argument, state)).outside:
                self.passed[name, place] = passed
            self._filled(name, given, argument, state)
        if name not in _RETURNING:
            state.update(without_nulls(state) or {})
        self.copied(node, name, given, state)

    def _members_may_move(self, name: str, state: dict[str, Facts]) -> None:
        """Take in a call that is given a struct: its members may have new values."""
        for other, facts in state.items():
            if facts.same.startswith((f"{name}->", f"{name}.")):
                state[other] = replace(facts, same="")

    def _refuses_null(self, name: str, place: int, argument: Node) -> bool:
        # The library prints a text that is NULL.
        printed = place > 0 and bool(called(bare(argument))) and name.endswith("printf")
        return name in _NULL_REFUSED and name not in self.unit.functions and not printed

    def _filled(self, name: str, given: list[Node], argument: Node, state: dict[str, Facts]) -> None:
        """Forget what is known of variables whose address a call takes."""
        place = argument.child_by_field_name("argument")
        if argument.type == "pointer_expression" and text(argument).startswith("&") and place is not None:
            inner, kind = text(place), self.types.of(place)
            number = self.types.is_struct(place) if kind is None else not (kind.bits == 8 and name in READS)
            outside = (name.endswith("scanf") or name in READS) and number
            self._forget(inner, state)
            message = ""
            if name in ("memcpy", "memmove") and argument == given[0] and len(given) > 1:
                message = self.buffer_of(given[1])
            low = 0 if kind is not None and not kind.signed else None
            state[inner] = Facts(outside=outside, message=message, low=low)

    def _release(self, key: str, freed: bool, node: Node, state: dict[str, Facts]) -> None:
        for alias in self._same_as(key, state):
            state[alias] = Facts(freed=freed, freed_at=node.start_byte)
        state[key] = Facts(freed=freed, freed_at=node.start_byte)
        self._forget(key, state)

    def _same_as(self, key: str, state: dict[str, Facts]) -> list[str]:
        """Return the other names of what a pointer points to."""
        root = state.get(key, Facts()).same or key
        return [name for name, facts in state.items() if name != key and (facts.same == root or name == root)]

    def _forget(self, name: str, state: dict[str, Facts]) -> None:
        """Forget the expressions in which a variable occurs that has a new value."""
        for other in [one for one in state if len(one) > len(name) and name in one]:
            if re.search(rf"(?<![\w>.]){re.escape(name)}(?!\w)", other):
                del state[other]
        for other, facts in list(state.items()):
            if facts.same and other != name and re.match(rf"{re.escape(name)}(?!\w)", facts.same):
                state[other] = replace(facts, same="")

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
            before = state.get(name, Facts())
            self._forget(name, state)
            state[name] = Facts(freed=before.freed, freed_at=before.freed_at, message=before.message)
            return
        facts = self.assigned(name, right, self.facts(right, state))
        self.kept(node, name, right, state)
        moved = self._moved(bare(right), name, state)
        self._forget(name, state)
        same = text(bare(right)) if bare(right).type in ("identifier", "field_expression") else ""
        same = same if same != name else ""
        same = state.get(same, Facts()).same or same
        state[name] = replace(facts, moved=moved, same=same)

    def _assign_behind(self, pointer: Node | None, state: dict[str, Facts]) -> None:
        """Take in ``*pointer = …``: what was known of the object is void; ``*(T **)&name = …`` is a new ``name``."""
        pointer = bare(pointer) if pointer is not None else None
        name = text(pointer)
        if name.startswith("&") and pointer is not None:
            name = text(pointer.child_by_field_name("argument"))
            self._forget(name, state)
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
                self._forget(name, state)
                state.pop(name, None)

    def _moved(self, call: Node, name: str, state: dict[str, Facts]) -> str:
        """Take in ``name = realloc(old, n)``; return the old pointer, which is freed if the call succeeds."""
        given = arguments(call)
        if called(call) not in _REALLOCS or not given or bare(given[0]).type not in ("identifier", "field_expression"):
            return ""
        old = text(bare(given[0]))
        if self.unit.constant(given[0]) == 0:
            return ""
        for one in self._same_as(old, state):
            if one != name:
                state[one] = Facts(freed=True, freed_at=call.start_byte)
        if old == name:
            return ""
        state[old] = Facts(freed=True, freed_at=call.start_byte)
        self._forget(old, state)
        return old

    def _binary(self, node: Node, state: dict[str, Facts]) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if text(node.child_by_field_name("operator")) in ("+", "-") and state.get(text(left), Facts()).unchecked:
            self._use(text(left), node, state)
        self.sum(node, left, right, state)
