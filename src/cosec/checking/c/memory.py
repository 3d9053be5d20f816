"""Checks of C pointers, indices and sums: unchecked NULL, use after free, index out of bounds, overflow.

Each check looks at the facts that hold at an expression (`flow.FunctionFlow`). An index or a number is suspect if it
comes from outside and was not compared with both of its bounds. Outside are input, parameters that a caller fills with
input, and, for sums, random numbers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cosec.checking.c.flow import Facts, FunctionFlow
from cosec.checking.c.syntax import (
    Report,
    Sizes,
    Unit,
    arguments,
    bare,
    called,
    declarations,
    field_sizes,
    heap_sizes,
    text,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "strdup", "strndup", "fopen", "fdopen", "popen", "tmpfile"})
SEARCHES = frozenset({"strchr", "strrchr", "strstr", "strpbrk", "memchr", "bsearch", "getenv", "opendir", "strtok"})
"""Functions that return NULL if they find nothing."""

_NUMBERS = frozenset({"atoi", "atol", "atoll", "strtol", "strtoll", "strtoul", "strtoull", "strtoimax", "strtoumax"})
_RANDOM = frozenset({"rand", "random", "rand_r"})
_READS = frozenset({"read", "recv", "recvfrom", "fread"})
_FREE_USES_NOTHING = frozenset({"free", "fclose", "pclose"})
_ACCEPT_NULL = frozenset({"free", "realloc", "printf", "fprintf", "assert", "setvbuf", "time"})
_LIMIT = re.compile(r"_(MAX|MIN)\b\s*[-+]")
_WIDE = ("long", "int64", "uint64", "size_t", "double", "float", "intmax")


class MemoryFlow(FunctionFlow):
    """Checks one function."""

    def __init__(
        self,
        unit: Unit,
        function: Node,
        report: Report,
        sizes: Sizes,
        frees: dict[str, set[int]],
        nullable: frozenset[str],
    ) -> None:
        super().__init__(unit, function)
        self._report, self._sizes, self._frees, self._nullable = report, sizes, frees, nullable
        self._types = {name: kind for kind, name, _, _ in declarations(unit.root) if name}
        self._types |= {name: kind for kind, name, _, _ in declarations(function) if name}
        self._heap = heap_sizes(unit, function, sizes)
        self._aliases: dict[str, str] = {}
        declarator = function.child_by_field_name("declarator")
        self._parameters = {name for _, name, _, _ in declarations(declarator)} if declarator is not None else set()
        self._fields = field_sizes(unit)
        self._guarded = _guarded(function)
        self._sizes_of_blocks = {
            text(bare(argument))
            for call in walk(function)
            if called(call) in ("malloc", "realloc")
            for argument in arguments(call)[-1:]
        }
        self.passed: dict[tuple[str, int], Facts] = {}
        """Numbers from outside that are passed to local functions."""

    def sizes(self) -> Sizes:
        """Arrays in scope."""
        return self._sizes

    def see(self, node: Node, state: dict[str, Facts]) -> None:
        """Look at one expression."""
        if node.type in ("pointer_expression", "field_expression", "subscript_expression"):
            self._dereference(node, state)
        if node.type == "subscript_expression":
            self._index(node, state)
        elif node.type == "call_expression":
            self._call(node, state)
        elif node.type in ("assignment_expression", "init_declarator"):
            self._assign(node, state)
        elif node.type == "binary_expression":
            self._arithmetic(node, state)
        elif node.type == "update_expression":
            name = text(node.child_by_field_name("argument"))
            facts = state.get(name, Facts())
            if "++" in text(node) and facts.outside and not facts.bounded and self._signed_number(name):
                self._report(node, "c/integer-overflow", f"{text(node)} may overflow: check the range before.")
            if facts.unchecked:
                self._use(name, node, state)
            state[name] = (
                replace(state.get(name, facts), high=None)
                if "++" in text(node)
                else replace(state.get(name, facts), low=None)
            )

    def _dereference(self, node: Node, state: dict[str, Facts]) -> None:
        if node.type == "pointer_expression" and not text(node).startswith("*"):
            return
        if node.type == "field_expression" and text(node.child_by_field_name("operator")) != "->":
            return
        pointer = node.child_by_field_name("argument")
        if pointer is not None:
            self._use(text(bare(pointer)), node, state)

    def _use(self, name: str, node: Node, state: dict[str, Facts]) -> None:
        facts = state.get(name)
        if facts is None:
            return
        if facts.freed:
            self._report(node, "c/use-after-free", f"{name} is used after it was freed.")
        elif facts.unchecked:
            self._report(node, "c/null-dereference", f"{name} may be NULL here; check it first.")
            state[name] = replace(facts, unchecked=False)  # said once

    def _call(self, node: Node, state: dict[str, Facts]) -> None:
        name, given = called(node), arguments(node)
        released = self._frees.get(name, {0} if name in _FREE_USES_NOTHING else set())
        for place, argument in enumerate(given):
            key = text(bare(argument))
            facts = state.get(key, Facts())
            if place in released and bare(argument).type in ("identifier", "field_expression"):
                if facts.freed:
                    self._report(node, "c/use-after-free", f"{key} is freed twice.")
                self._release(key, name not in ("fclose", "pclose"), state)
            elif facts.freed and name != "realloc":
                self._report(node, "c/use-after-free", f"{key} is used after it was freed.")
            elif facts.unchecked and name not in _ACCEPT_NULL and name not in self.unit.functions and name in KNOWN:
                self._report(node, "c/null-dereference", f"{key} may be NULL here; check it first.")
            if name in self.unit.functions and self._facts(argument, state).outside:
                self.passed[name, place] = self._facts(argument, state)
            self._filled(name, argument, state)

    def _filled(self, name: str, argument: Node, state: dict[str, Facts]) -> None:
        """Forget what is known of variables whose address a call takes."""
        if argument.type == "pointer_expression" and text(argument).startswith("&"):
            inner = text(argument.child_by_field_name("argument"))
            outside = name.endswith("scanf") and self._is_number(inner)
            state[inner] = Facts(outside=outside, low=0 if self._unsigned(inner) else None)

    def _release(self, key: str, freed: bool, state: dict[str, Facts]) -> None:
        state[key] = Facts(freed=freed)
        for alias, root in self._aliases.items():
            if key in (alias, root):
                state[alias] = state[root] = state[key]
        for other in [one for one in state if one.startswith((f"{key}->", f"{key}."))]:
            del state[other]

    def _facts(self, node: Node, state: dict[str, Facts]) -> Facts:
        """Return what is known about the value of an expression."""
        outer, node = node, bare(node)
        name = called(node)
        if text(node) in state:
            facts = state[text(node)]
            cast = text(outer.child_by_field_name("type")) if outer.type == "cast_expression" else ""
            return replace(facts, low=_at_least_zero(facts.low)) if _is_unsigned(cast) else facts
        if name in _NUMBERS or name in _RANDOM:
            return Facts(outside=True, low=0 if name in _RANDOM or name.startswith("strtou") else None)
        if name in _READS and len(arguments(node)) >= 3:
            most = self.unit.constant(arguments(node)[-2 if name == "fread" else 2], self._sizes)
            return Facts(high=most, bounded=most is not None)
        if name in _ALLOCATORS or name in SEARCHES or name in self._nullable:
            return Facts(unchecked=True)
        if node.type == "conditional_expression":
            yes, no = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
            if yes is not None and no is not None:
                return self._facts(yes, state).joined(self._facts(no, state))
        if node.type == "assignment_expression" and (right := node.child_by_field_name("right")):
            return self._facts(right, state)
        value = self.unit.constant(node, self._sizes)
        if value is not None:
            return Facts(low=value, high=value, bounded=True)
        return self._computed(node, state)

    def _computed(self, node: Node, state: dict[str, Facts]) -> Facts:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = text(node.child_by_field_name("operator"))
        if node.type != "binary_expression" or left is None or right is None or operator not in ("+", "-"):
            return Facts()
        facts, step = self._facts(left, state), self.unit.constant(right, self._sizes)
        if not (facts.outside or facts.bounded) or step is None or facts.low == facts.high is not None:
            return Facts()
        step = step if operator == "+" else -step
        ends = [None if end is None else end + step for end in (facts.low, facts.high)]
        return replace(facts, low=ends[0], high=ends[1], past=False)

    def _assign(self, node: Node, state: dict[str, Facts]) -> None:
        left = node.child_by_field_name("left") or node.child_by_field_name("declarator")
        right = node.child_by_field_name("right") or node.child_by_field_name("value")
        if left is None or right is None:
            return
        name = text(bare(left)).lstrip("* ")
        if node.type == "assignment_expression" and text(bare(left)).startswith("*"):
            return
        if text(node.child_by_field_name("operator")) not in ("", "="):
            self._sum(node, left, right, state)
            state[name] = Facts()
            return
        facts = self._facts(right, state)
        if facts.outside and self._unsigned(name):
            facts = replace(facts, low=_at_least_zero(facts.low))
        for other in [one for one in state if one.startswith((f"{name}->", f"{name}."))]:
            del state[other]
        state[name] = facts
        self._aliases = {alias: root for alias, root in self._aliases.items() if name not in (alias, root)}
        if bare(right).type == "identifier" and text(bare(right)) != name:
            self._aliases[name] = text(bare(right))

    def _index(self, node: Node, state: dict[str, Facts]) -> None:
        array, index = node.child_by_field_name("argument"), node.child_by_field_name("index")
        if array is None or index is None:
            return
        facts = self._facts(index, state)
        known = self._sizes.get(text(array)) or self._heap.get(text(array))
        if known is None and array.type == "field_expression":
            known = self._fields.get(text(array.child_by_field_name("field")))
        wrong = ""
        if known is not None and facts.high is not None and facts.high >= known[0]:
            wrong = f"may be {facts.high}, past the end of {text(array)}"
        elif facts.outside and (facts.low is None or facts.low < 0):
            wrong = "may be negative"
        elif facts.outside and (facts.past or not facts.bounded):
            wrong = "is not compared with the length first"
        elif (
            facts.low is None
            and facts.bounded
            and self._is_parameter(index)
            and self._signed_number(_first_name(index))
        ):
            wrong = "may be negative"
        elif facts.past and self._is_parameter(index):
            wrong = f"may equal the length of {text(array)}"
        if wrong:
            written = _is_written(node)
            pattern = "c/out-of-bounds-write" if written else "c/out-of-bounds-read"
            self._report(node, pattern, f"The index {text(index)} {wrong}.")

    def _arithmetic(self, node: Node, state: dict[str, Facts]) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if text(node.child_by_field_name("operator")) in ("+", "-") and state.get(text(left), Facts()).unchecked:
            self._use(text(left), node, state)
        self._sum(node, left, right, state)

    def _sum(self, node: Node, left: Node, right: Node, state: dict[str, Facts]) -> None:
        operator = text(node.child_by_field_name("operator")).rstrip("=")
        if operator not in ("+", "-", "*"):
            return
        sized = self._sizes_an_allocation(node)
        if operator == "*" and sized and all(self._may_be_large(side, state) for side in (left, right)):
            self._report(node, "c/integer-overflow", f"{text(node)} may overflow: check the range before.")
            return
        for side, other in ((left, right), (right, left)):
            facts, step = self._facts(side, state), self.unit.constant(other, self._sizes)
            if not facts.outside or self._is_wide(other, step) or (side == right and operator == "-"):
                continue
            if (self._is_wide(side, None) or self._unsigned(text(bare(side)))) and not sized:
                continue
            if operator == "*" and step is None and sized is False and not self._facts(other, state).outside:
                continue
            if text(bare(side)) in self._guarded:
                continue
            safe = facts.low is not None or sized if operator == "-" else facts.bounded
            if abs(step or 2) == 1 and sized:
                safe = True  # one for the end of a string
            if not safe and step != 0:
                self._report(node, "c/integer-overflow", f"{text(node)} may overflow: check the range before.")
                return

    def _sizes_an_allocation(self, node: Node) -> bool:
        at = node
        while at.parent is not None and at.parent.type in (
            "binary_expression",
            "parenthesized_expression",
            "cast_expression",
            "argument_list",
        ):
            at = at.parent
        if at.parent is not None and at.parent.type in ("init_declarator", "assignment_expression"):
            name = at.parent.child_by_field_name("declarator") or at.parent.child_by_field_name("left")
            return text(name) in self._sizes_of_blocks
        return at.parent is not None and called(at.parent) in ("malloc", "realloc")

    def _may_be_large(self, node: Node, state: dict[str, Facts]) -> bool:
        """Tell whether this is an unbounded number of at most 32 bits that the caller chose."""
        inner = bare(node)
        facts = state.get(text(inner), Facts())
        narrow = self._types.get(text(inner), "").split()[-1:] in (["int"], ["unsigned"], ["uint32_t"], ["int32_t"])
        chosen = inner.type == "identifier" and self._is_parameter(inner) and text(inner) not in self._guarded
        return chosen and narrow and node.type != "cast_expression" and not facts.bounded

    def _is_wide(self, node: Node, constant: int | None) -> bool:
        """Tell whether the other operand makes the sum 64 bits wide, where it does not overflow in practice."""
        if constant is not None and any(one.type == "sizeof_expression" for one in walk(node)):
            return False
        kinds = [text(one.child_by_field_name("type")) for one in walk(node) if one.type == "cast_expression"]
        kinds += [self._types.get(text(bare(node)), "")]
        return any(word in kind for kind in kinds for word in _WIDE) or text(node).lower().endswith(("ll", "l", "ul"))

    def _is_parameter(self, node: Node) -> bool:
        return _first_name(node) in self._parameters

    def _is_number(self, name: str) -> bool:
        return "char" not in self._types.get(name, "int")

    def _unsigned(self, name: str) -> bool:
        return _is_unsigned(self._types.get(name, ""))

    def _signed_number(self, name: str) -> bool:
        words = self._types.get(name, "").split()
        return bool(words) and words[-1] in ("int", "long", "short", "int32_t", "int64_t", "ssize_t")


def _guarded(function: Node) -> set[str]:
    """Return names in conditions that test for overflow beforehand, such as ``a > INT_MAX - b``."""
    return {
        text(one)
        for node in walk(function)
        if (condition := node.child_by_field_name("condition")) is not None
        and ("/" in text(condition) or _LIMIT.search(text(condition)))
        for one in walk(condition)
        if one.type == "identifier"
    }


def _first_name(node: Node) -> str:
    return next((text(one) for one in walk(node) if one.type == "identifier"), "")


def _at_least_zero(low: int | None) -> int:
    return max(0, low or 0)


def _is_unsigned(kind: str) -> bool:
    return "unsigned" in kind or kind.startswith(("uint", "size_t")) or kind == "size_t"


def _is_written(node: Node) -> bool:
    at = node
    while at.parent is not None and at.parent.type in ("subscript_expression", "field_expression"):
        if at.parent.child_by_field_name("argument") != at:
            return False
        at = at.parent
    if at.parent is None:
        return False
    if at.parent.type == "update_expression":
        return True
    return at.parent.type == "assignment_expression" and at.parent.child_by_field_name("left") == at


KNOWN = frozenset(
    {"strcpy", "strncpy", "strcat", "strlen", "strcmp", "memcpy", "memset", "memmove", "sprintf", "snprintf"}
    | {"fgets", "fread", "fwrite", "fgetc", "getc", "fputs", "fputc", "puts", "fscanf", "sscanf", "getline"}
    | {"read", "write", "fseek", "ftell", "rewind", "fclose"}
)
"""Library functions that do not accept NULL."""


def freed_parameters(unit: Unit) -> dict[str, set[int]]:
    """Return the arguments that local functions always free: name -> places."""
    found: dict[str, set[int]] = {}
    for name, function in unit.functions.items():
        declarator, body = function.child_by_field_name("declarator"), function.child_by_field_name("body")
        if declarator is None or body is None:
            continue
        names = [one for _, one, _, _ in declarations(declarator)]
        for statement in body.named_children:
            call = next(iter(statement.named_children), None) if statement.type == "expression_statement" else None
            if call is not None and called(call) == "free" and (given := arguments(call)) and text(given[0]) in names:
                found.setdefault(name, set()).add(names.index(text(given[0])))
    return found


def nullable_functions(unit: Unit) -> frozenset[str]:
    """Return the local functions that return NULL on some path."""
    return frozenset(
        name
        for name, function in unit.functions.items()
        if any(one.type == "return_statement" and _returns_null(one) for one in walk(function))
    )


def _returns_null(node: Node) -> bool:
    return bool(node.named_children) and text(bare(node.named_children[0])) == "NULL"
