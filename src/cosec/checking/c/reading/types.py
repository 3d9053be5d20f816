"""Integer types of C expressions on a 64-bit machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import (
    DECLARED_NAMES,
    Unit,
    bare,
    called,
    declarations,
    declared_name,
    parameters,
    text,
    walk,
    words,
)

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer type."""

    bits: int
    signed: bool

    @property
    def low(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value."""
        return (1 << (self.bits - self.signed)) - 1


INT = Integer(32, True)
"""``int``."""

UNSIGNED = Integer(32, False)
"""``unsigned int``."""

LONG = Integer(64, True)
"""``long``."""

SIZE = Integer(64, False)
"""``size_t``."""

BYTE = Integer(8, False)
"""``unsigned char``."""

_SHORT = Integer(16, False)
_NAMED = {"int8_t": Integer(8, True), "int16_t": Integer(16, True)}
_NAMED |= dict.fromkeys(words("int32_t wchar_t bool _Bool BOOL gint"), INT)
_NAMED |= dict.fromkeys(words("int64_t intmax_t ssize_t off_t time_t ptrdiff_t Py_ssize_t"), LONG)
_NAMED |= dict.fromkeys(words("uint8_t u_char u8 byte uchar BYTE guchar"), BYTE)
_NAMED |= dict.fromkeys(words("uint16_t u_short u16 ushort WORD in_port_t"), _SHORT)
_NAMED |= dict.fromkeys(words("uint32_t u_int u32 uint DWORD in_addr_t socklen_t mode_t guint"), UNSIGNED)
_NAMED |= dict.fromkeys(words("uint64_t uintmax_t uintptr_t u_long u64 ulong size_t gsize"), SIZE)
_RESULTS = dict.fromkeys(words("strlen strnlen fread fwrite strtoul strtoull strtoumax wcslen"), SIZE)
_RESULTS |= dict.fromkeys(words("atol atoll strtol strtoll strtoimax read recv labs random ftell"), LONG)
_RESULTS |= dict.fromkeys(words("atoi rand abs getchar fgetc getc rand_r toupper tolower"), INT)
_RESULTS |= {"ntohl": UNSIGNED, "htonl": UNSIGNED, "ntohs": _SHORT, "htons": _SHORT}
_ARITHMETIC = words("+ - * / % & | ^")


def integer(name: str) -> Integer | None:
    """Return the integer type with a name such as ``unsigned short int``; None for other types."""
    words = [word for word in name.split() if word not in ("const", "volatile", "static", "register")]
    if len(words) == 1 and words[0] in _NAMED:
        return _NAMED[words[0]]
    if not words or not set(words) <= {"unsigned", "signed", "char", "short", "int", "long"}:
        return None
    signed = "unsigned" not in words
    bits = 8 if "char" in words else 16 if "short" in words else 64 if "long" in words else 32
    return Integer(bits, signed)


def levels(declarator: Node | None) -> int:
    """Return how many times a declared name is an array or a pointer."""
    found = 0
    while declarator is not None and declarator.type not in DECLARED_NAMES:
        found += declarator.type in ("pointer_declarator", "array_declarator", "abstract_pointer_declarator")
        found += 8 * (declarator.type == "function_declarator")
        declarator = declarator.child_by_field_name("declarator") or next(iter(declarator.named_children), None)
    return found


Declared = tuple[str, int]
"""The name of a type, and how many ``*`` or ``[]`` are around it."""


class SharedTypes:
    """The types that a file declares outside functions: variables, members, type names."""

    def __init__(self, unit: Unit) -> None:
        self.aliases: dict[str, Declared] = {}
        """What the names of types stand for."""
        self.members: dict[str, Declared | None] = {}
        """The members of structs; None where members of one name have different types."""
        self.variables: dict[str, Declared] = {}
        """The variables outside functions."""
        for node in walk(unit.root):
            if node.type == "type_definition":
                for declarator in node.children_by_field_name("declarator"):
                    kind = text(node.child_by_field_name("type")).split("{")[0].strip()
                    self.aliases[declared_name(declarator)] = kind, levels(declarator)
            elif node.type == "field_declaration":
                for declarator in node.children_by_field_name("declarator"):
                    made = text(node.child_by_field_name("type")), levels(declarator)
                    name = declared_name(declarator)
                    self.members[name] = made if self.members.get(name, made) == made else None
        for node in unit.root.named_children:
            if node.type == "declaration":
                self.variables |= {name: (kind, levels(one)) for kind, name, one, _ in declarations(node)}


class Types:
    """The types of the expressions in one function."""

    def __init__(self, shared: SharedTypes, function: Node) -> None:
        self._shared = shared
        self.declared = dict(shared.variables)
        """The variables in scope."""
        local = {name: (kind, levels(one)) for kind, name, one, _ in declarations(function) if name}
        local |= {one.name: (one.kind, levels(one.declarator)) for one in parameters(function) if one.name}
        self.declared |= local
        self._local = frozenset(local)

    def is_local(self, name: str) -> bool:
        """Tell whether a name is that of a parameter, or of a variable that the function declares itself."""
        return name in self._local

    def variable(self, name: str) -> Integer | None:
        """Return the type of a variable that is an integer."""
        return self._integer(self.declared.get(name))

    def of(self, node: Node) -> Integer | None:
        """Return the type of an expression that is an integer; None for other types and unknown ones."""
        if node.type == "parenthesized_expression" and node.named_children:
            return self.of(node.named_children[0])
        if node.type == "number_literal":
            return _literal(text(node))
        if node.type in ("char_literal", "true", "false"):
            return INT
        if node.type == "sizeof_expression":
            return SIZE
        if node.type == "call_expression":
            return _RESULTS.get(called(node))
        if node.type == "conditional_expression":
            return _usual(self._field(node, "consequence"), self._field(node, "alternative"))
        if node.type == "assignment_expression":
            return self._field(node, "left")
        if node.type == "unary_expression":
            return INT if text(node).startswith("!") else _promoted(self._field(node, "argument"))
        if node.type == "binary_expression":
            return self._binary(node)
        return self._integer(self._declared(node))

    def is_struct(self, node: Node) -> bool:
        """Tell whether an expression is a struct or a union, and no pointer to one."""
        return any(name.startswith(("struct", "union")) for name in self._names(self._declared(node)))

    def _binary(self, node: Node) -> Integer | None:
        operator = text(node.child_by_field_name("operator"))
        if operator in ("<<", ">>"):
            return _promoted(self._field(node, "left"))
        if operator in _ARITHMETIC:
            return _usual(self._field(node, "left"), self._field(node, "right"))
        return INT

    def _field(self, node: Node, name: str) -> Integer | None:
        child = node.child_by_field_name(name)
        return self.of(child) if child is not None else None

    def _declared(self, node: Node) -> Declared | None:
        inner = bare(node) if node.type == "parenthesized_expression" else node
        if inner.type == "identifier":
            return self.declared.get(text(inner))
        if inner.type == "cast_expression":
            kind = inner.child_by_field_name("type")
            return (text(kind).replace("*", " ").strip(), text(kind).count("*")) if kind is not None else None
        if inner.type == "field_expression":
            return self._shared.members.get(text(inner.child_by_field_name("field")))
        argument = inner.child_by_field_name("argument")
        if argument is not None and inner.type in ("subscript_expression", "pointer_expression"):
            of = self._declared(argument)
            step = 1 if text(inner).startswith("&") and inner.type == "pointer_expression" else -1
            return (of[0], of[1] + step) if of is not None else None
        if argument is not None and inner.type == "update_expression":
            return self._declared(argument)
        left = inner.child_by_field_name("left")
        if inner.type == "binary_expression" and left is not None:
            return self._declared(left)
        return None

    def _integer(self, declared: Declared | None) -> Integer | None:
        return next((known for name in self._names(declared) if (known := integer(name)) is not None), None)

    def _names(self, declared: Declared | None) -> Iterator[str]:
        """The name of a type, then the names that it stands for; none of a pointer or an array."""
        for _ in range(4):
            if declared is None or declared[1] != 0:
                return
            yield declared[0]
            declared = self._shared.aliases.get(declared[0])


def _literal(digits: str) -> Integer:
    suffix = digits.lower()[len(digits.lower().rstrip("ul")) :] if not digits.lower().startswith("0x") else ""
    if digits.lower().startswith("0x"):
        suffix = "".join(letter for letter in digits[-3:].lower() if letter in "ul")
    return Integer(64 if "l" in suffix else 32, "u" not in suffix)


def _promoted(one: Integer | None) -> Integer | None:
    return INT if one is not None and one.bits < 32 else one


def _usual(left: Integer | None, right: Integer | None) -> Integer | None:
    """Apply the usual arithmetic conversions."""
    left, right = _promoted(left), _promoted(right)
    if left is None or right is None:
        return None
    bits = max(left.bits, right.bits)
    return Integer(bits, all(one.signed for one in (left, right) if one.bits == bits))
