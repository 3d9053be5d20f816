"""Syntax trees of C source, and what they say by themselves: constants, declarations, calls.

Knows nothing about weaknesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from cosec.checking.c.reading.annotations import without_annotations
from cosec.checking.c.reading.conditions import readings
from cosec.checking.c.reading.trees import nodes_of, tree_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from cosec.checking.finding import Severity

Sizes = dict[str, tuple[int, int]]
"""Name of an array -> how many items it has, and the bytes of one."""


class Report(Protocol):
    """Takes a finding: a node, the id of a pattern, one sentence, and how sure it is."""

    def __call__(self, node: Node, pattern: str, message: str, level: Severity = "error") -> None:
        """Take one finding."""
        ...


_LIMITS = {"INT_MAX": 2**31 - 1, "INT_MIN": -(2**31), "UINT_MAX": 2**32 - 1, "SIZE_MAX": 2**64 - 1, "NULL": 0}
_LIMITS |= {"LONG_MAX": 2**63 - 1, "RAND_MAX": 2**31 - 1, "UINT32_MAX": 2**32 - 1, "INT32_MAX": 2**31 - 1}
_LIMITS |= {"SHRT_MAX": 2**15 - 1, "UCHAR_MAX": 255, "CHAR_MAX": 127, "PATH_MAX": 4096, "BUFSIZ": 8192}
_MODES = {"S_IRWXU": 0o700, "S_IRUSR": 0o400, "S_IWUSR": 0o200, "S_IXUSR": 0o100, "S_IRWXG": 0o70, "S_IRGRP": 0o40}
_MODES |= {"S_IWGRP": 0o20, "S_IXGRP": 0o10, "S_IRWXO": 7, "S_IROTH": 4, "S_IWOTH": 2, "S_IXOTH": 1}
_MODES |= {"ACCESSPERMS": 0o777, "DEFFILEMODE": 0o666}
_SIZES = {"char": 1, "short": 2, "int": 4, "float": 4, "long": 8, "double": 8, "size_t": 8, "uint8_t": 1, "int8_t": 1}
_SIZES |= {"uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4, "uint64_t": 8, "int64_t": 8, "wchar_t": 4}


def words(listed: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(listed.split())


def text(node: Node | None) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode(errors="replace") if node is not None else ""


def walk(node: Node) -> Iterator[Node]:
    """Iterate over the node and its descendants in source order."""
    return iter(_nodes(node)) if node.type == "function_definition" else nodes_of(node)


def forget_nodes() -> None:
    """Drop what is kept of the nodes of earlier files."""
    _nodes.cache_clear()


@lru_cache(maxsize=4096)
def _nodes(function: Node) -> list[Node]:
    """Return the nodes of a function, which are asked for many times and slow to make."""
    return list(nodes_of(function))


def bare(node: Node) -> Node:
    """Strip parentheses and casts from an expression."""
    while True:
        inner = node.child_by_field_name("value") if node.type == "cast_expression" else None
        if node.type == "parenthesized_expression":
            inner = node.named_children[0] if node.named_children else None
        if inner is None:
            return node
        node = inner


def origin(node: Node) -> Node | None:
    """Return the pointer into whose memory an expression points: ``p`` for ``p + 1`` and ``&p[i]``; None for others."""
    node = bare(node)
    if node.type in ("identifier", "field_expression"):
        return node
    inner: Node | None = None
    if node.type == "binary_expression" and text(node.child_by_field_name("operator")) in ("+", "-"):
        inner = node.child_by_field_name("left")
    elif node.type == "pointer_expression" and text(node).startswith("&"):
        element = bare(node.child_by_field_name("argument") or node)
        inner = element.child_by_field_name("argument") if element.type == "subscript_expression" else None
    return origin(inner) if inner is not None else None


def called(node: Node) -> str:
    """Return the name of the called function; empty for anything else."""
    return text(node.child_by_field_name("function")) if node.type == "call_expression" else ""


def arguments(call: Node) -> list[Node]:
    """Return the arguments of a call."""
    listed = call.child_by_field_name("arguments")
    return [one for one in listed.named_children if one.type != "comment"] if listed is not None else []


def literal(node: Node) -> str | None:
    """Return the text of a string literal, with one letter for each escape; None for others, such as wide text."""
    node = bare(node)
    if node.type == "concatenated_string":
        parts = [literal(one) for one in node.named_children]
        return None if None in parts else "".join(part or "" for part in parts)
    if node.type != "string_literal" or not text(node).startswith('"'):
        return None
    return re.sub(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", "?", text(node)[1:-1])


DECLARED_NAMES = frozenset({"identifier", "field_identifier", "type_identifier"})
"""Kinds of nodes that name what is declared: a variable, a member, a type."""


def declared_name(declarator: Node | None) -> str:
    """Return the name inside a declarator."""
    while declarator is not None and declarator.type not in DECLARED_NAMES:
        declarator = declarator.child_by_field_name("declarator") or next(iter(declarator.named_children), None)
    return text(declarator)


@dataclass(slots=True)
class Unit:
    """A parsed file."""

    root: Node
    macros: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, int | None] = field(default_factory=dict)
    """Values of enumerators, and of macros that were looked up."""
    members: Sizes = field(default_factory=dict)
    """Sizes of the array members of structs (`sizes.field_sizes`)."""
    open_ended: dict[str, frozenset[str]] = field(default_factory=dict)
    """Structs, by their names -> the letters at their end that have no size (`sizes.open_ended_members`)."""
    layouts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Structs, by their names -> their members in order (`sizes.layouts`)."""
    copying: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Local functions that copy a whole text (`wrappers.copying_functions`) -> places of the buffer and the text."""
    ending: frozenset[str] = frozenset()
    """Local functions that do not return (`summaries.ending_functions`)."""

    def constant(self, node: Node, sizes: Sizes | None = None) -> int | None:
        """Return the value of a constant expression, given the sizes of arrays; None for other expressions."""
        node = bare(node)
        if node.type == "number_literal":
            return _number(text(node))
        if node.type == "null":
            return 0
        if node.type == "char_literal":
            return ord(text(node)[1]) if len(text(node)) == 3 else 0
        if node.type == "identifier":
            return self._named(text(node))
        if node.type == "unary_expression":
            value = self.constant(node.named_children[0], sizes)
            return -value if value is not None and text(node).startswith("-") else None
        if node.type == "sizeof_expression":
            return self._size(node, sizes or {})
        if node.type == "binary_expression":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            assert left is not None
            assert right is not None
            return _computed(
                text(node.child_by_field_name("operator")), self.constant(left, sizes), self.constant(right, sizes)
            )
        return None

    def _named(self, name: str) -> int | None:
        if name in self.constants:
            return self.constants[name]
        if name not in self.macros:
            return _LIMITS.get(name, _MODES.get(name))
        self.constants[name] = None
        tree = tree_of(f"int x = {self.macros[name]};".encode()).root_node
        value = next((one.child_by_field_name("value") for one in walk(tree) if one.type == "init_declarator"), None)
        if value is not None and name not in text(value):
            self.constants[name] = self.constant(value)
        return self.constants[name]

    def _size(self, node: Node, sizes: Sizes) -> int | None:
        operand = node.child_by_field_name("value") or node.child_by_field_name("type")
        if operand is None:
            return None
        operand = bare(operand)
        if text(operand) in sizes:
            return sizes[text(operand)][0] * sizes[text(operand)][1]
        if operand.type == "field_expression":
            known = self.members.get(text(operand.child_by_field_name("field")))
            return known[0] * known[1] if known else None
        if operand.type in ("subscript_expression", "pointer_expression"):
            known = sizes.get(text(operand.child_by_field_name("argument")))
            return known[1] if known else None
        return size_of_type(text(operand)) if operand.type in ("type_descriptor", "identifier") else None


def size_of_type(name: str) -> int | None:
    """Return the bytes of a basic type on a 64-bit machine; None for other types."""
    if "*" in name:
        return 8
    words = [word for word in name.split() if word not in ("unsigned", "signed", "const", "static", "volatile")]
    return _SIZES.get(words[0]) if words else 4


def read(program: str) -> list[Unit]:
    """Parse a file once for each of its readings (`conditions.readings`)."""
    return [_readable(one) for one in readings(program)]


def _readable(program: str) -> Unit:
    unit = parse(program)
    if not unit.root.has_error:
        return unit
    repaired = parse(without_annotations(program))
    return repaired if unread(repaired.root) < unread(unit.root) else unit


def unread(node: Node) -> int:
    """Return the number of bytes at or below ``node`` that are no C; a missing token counts as one."""
    if not node.has_error:
        return 0
    if node.type == "ERROR" or node.is_missing:
        return max(1, node.end_byte - node.start_byte)
    return sum(unread(one) for one in node.children)


def broken_functions(unit: Unit) -> list[int]:
    """Return the lines of the functions that are not read in full: something in them is no C."""
    found = [one.start_point[0] + 1 for one in unit.functions.values() if _holds_error(one)]
    for node in unit.root.children:
        if node.type == "ERROR" and any(one.type in ("{", "compound_statement") for one in walk(node)):
            found.append(node.start_point[0] + 1)
    return sorted(found)


def _holds_error(node: Node) -> bool:
    return node.has_error and (node.type == "ERROR" or any(_holds_error(one) for one in node.children))


def parse(program: str) -> Unit:
    """Parse a text as it is; unreadable parts become error nodes of the tree."""
    unit = Unit(root=tree_of(program.encode()).root_node)
    for node in walk(unit.root):
        if node.type == "preproc_def":
            unit.macros[text(node.child_by_field_name("name"))] = text(node.child_by_field_name("value")).strip()
        elif node.type == "function_definition":
            unit.functions[declared_name(node.child_by_field_name("declarator"))] = node
        elif node.type == "enumerator_list":
            _enumerate(unit, node)
    return unit


def _enumerate(unit: Unit, listed: Node) -> None:
    value: int | None = -1
    for one in listed.named_children:
        if one.type == "enumerator":
            given = one.child_by_field_name("value")
            value = unit.constant(given) if given is not None else value + 1 if value is not None else None
            unit.constants[text(one.child_by_field_name("name"))] = value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function definition."""

    kind: str
    """Its type, without ``*`` and qualifiers."""

    name: str
    declarator: Node


def following(function: Node) -> dict[str, str]:
    """Map the parameters of a function to the next one each: a buffer to its size."""
    return dict(pairwise(one.name for one in parameters(function)))


def parameters(function: Node) -> list[Parameter]:
    """Return the parameters of a function definition, also of one in the style of before 1989."""
    declarator = function.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    if declarator is None:
        return []
    listed = declarator.child_by_field_name("parameters")
    if listed is None:
        return []
    old = {
        name: Parameter(kind, name, inner)
        for child in function.named_children
        if child.type == "declaration"
        for kind, name, inner, _ in declarations(child)
    }
    found = []
    for one in listed.named_children:
        if one.type == "identifier":
            found.append(old.get(text(one), Parameter("int", text(one), one)))
        elif one.type == "parameter_declaration":
            inner = one.child_by_field_name("declarator")
            kind = text(one.child_by_field_name("type"))
            found.append(Parameter(kind, declared_name(inner), inner if inner is not None else one))
    return found


def is_static(function: Node) -> bool:
    """Tell whether only its own file can call a function by its name."""
    return any(one.type == "storage_class_specifier" and text(one) == "static" for one in function.children)


def declarations(node: Node) -> Iterator[tuple[str, str, Node, Node | None]]:
    """Iterate over type, name, declarator and initial value of the variables declared at or below ``node``."""
    for one in walk(node):
        if one.type not in ("declaration", "parameter_declaration"):
            continue
        kind = text(one.child_by_field_name("type"))
        for declarator in one.children_by_field_name("declarator"):
            value = declarator.child_by_field_name("value") if declarator.type == "init_declarator" else None
            inner = declarator.child_by_field_name("declarator") if declarator.type == "init_declarator" else declarator
            if inner is not None and inner.type != "function_declarator":
                yield kind, declared_name(inner), inner, value


def _number(digits: str) -> int | None:
    digits = digits.rstrip("uUlL")
    try:
        return int(digits, 8) if re.fullmatch(r"0[0-7]+", digits) else int(digits, 0)
    except ValueError:
        return None


def _computed(operator: str, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if operator in ("/", "%"):
        return None if right == 0 else (left // right if operator == "/" else left % right)
    if operator == "<<":
        return left << right if 0 <= right < 64 else None
    results = {"+": left + right, "-": left - right, "*": left * right, "|": left | right, "&": left & right}
    return results.get(operator)
