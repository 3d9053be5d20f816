"""Sizes of the arrays, members and allocated blocks of a C file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import (
    DECLARED_NAMES,
    Sizes,
    Unit,
    arguments,
    bare,
    called,
    declarations,
    declared_name,
    literal,
    parameters,
    size_of_type,
    text,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class SizesOf:
    """The sizes that are known in one function."""

    arrays: Sizes
    """Arrays in scope, by their name; the rows of tables by the table's name and ``[]``."""

    heap: Sizes
    """What pointers point to, by the pointer's name."""

    members: Sizes
    """Arrays in structs, by the member's name."""

    promised: Sizes
    """Parameters that are declared as arrays with a size; a caller may pass more."""

    def items(self, node: Node) -> tuple[int, int] | None:
        """Return how many items an expression has room for, and the bytes of one; None if unknown."""
        inner = bare(node)
        name = text(inner)
        if inner.type == "field_expression":
            return self.members.get(text(inner.child_by_field_name("field")))
        if inner.type == "subscript_expression":
            return self.arrays.get(f"{text(inner.child_by_field_name('argument'))}[]")
        return self.arrays.get(name) or self.heap.get(name) or self.promised.get(name)

    def room(self, node: Node) -> int | None:
        """Return the bytes that an expression has room for; None if unknown."""
        known = self.items(node)
        return known[0] * known[1] if known else None


def sizes_of(unit: Unit, function: Node, shared: Sizes) -> SizesOf:
    """Return the sizes that are known in a function, given those of arrays outside functions."""
    arrays = {**shared, **array_sizes(unit, function), **_rows(unit, function)}
    return SizesOf(arrays, heap_sizes(unit, function, arrays), unit.members, _promised(unit, function))


def _rows(unit: Unit, function: Node) -> Sizes:
    """Return the sizes of the rows of the tables that a function is given: ``char names[][32]``."""
    found = {}
    for one in parameters(function):
        size, table = (one.declarator.child_by_field_name(name) for name in ("size", "declarator"))
        length = unit.constant(size) if size is not None else None
        if length is not None and table is not None and table.type == "array_declarator":
            found[f"{one.name}[]"] = length, size_of_type(one.kind) or 1
    return found


def _promised(unit: Unit, function: Node) -> Sizes:
    found = {}
    for one in parameters(function):
        size = one.declarator.child_by_field_name("size") if one.declarator.type == "array_declarator" else None
        length = unit.constant(size) if size is not None else None
        if length is not None and length > 1:
            found[one.name] = length, size_of_type(one.kind) or 1
    return found


def array_sizes(unit: Unit, node: Node) -> Sizes:
    """Return the sizes of the arrays declared at or below ``node``, if known; the largest of several with a name."""
    found: dict[str, tuple[int, int]] = {}
    for kind, name, declarator, value in declarations(node):
        pointer = declarator.type == "pointer_declarator"
        inner = next((one for one in walk(declarator) if one.type == "array_declarator"), None)
        if inner is None or (inner.parent is not None and inner.parent.type == "parameter_declaration"):
            continue
        size = inner.child_by_field_name("size")
        length = unit.constant(size) if size is not None else _initial_length(value)
        if length is not None and (inner.child_by_field_name("declarator") or inner).type == "identifier":
            found[name] = max(found.get(name, (0, 0)), (length, 8 if pointer else size_of_type(kind) or 1))
        elif length is not None and not pointer and (table := inner.child_by_field_name("declarator")) is not None:
            found |= _table(unit, name, table, (length, size_of_type(kind) or 1))
    return found


def _table(unit: Unit, name: str, declarator: Node, row: tuple[int, int]) -> Sizes:
    """Return the sizes of a table and of its rows; none of arrays with more dimensions."""
    size, inner = declarator.child_by_field_name("size"), declarator.child_by_field_name("declarator")
    count = unit.constant(size) if size is not None else None
    if count is None or inner is None or inner.type not in DECLARED_NAMES:
        return {}
    return {name: (count, row[0] * row[1]), f"{name}[]": row}


def field_sizes(unit: Unit) -> Sizes:
    """Return the sizes of array members of structs, if all members of a name agree.

    An array of at most one element at the end of a struct is left out: it often stands for more.
    """
    found: dict[str, set[tuple[int, int] | None]] = {}
    for field_node in (node for node in walk(unit.root) if node.type == "field_declaration"):
        kind = size_of_type(text(field_node.child_by_field_name("type"))) or 1
        for declarator in field_node.children_by_field_name("declarator"):
            pointers = declarator.type == "pointer_declarator"
            array = declarator.child_by_field_name("declarator") if pointers else declarator
            is_array = array is not None and array.type == "array_declarator"
            size = array.child_by_field_name("size") if array is not None and is_array else None
            length = unit.constant(size) if size is not None else None
            simple = array is not None and (array.child_by_field_name("declarator") or array).type == "field_identifier"
            known = (length, 8 if pointers else kind) if length is not None and length > 1 and simple else None
            if length is not None and array is not None and not simple and not pointers:
                inner = array.child_by_field_name("declarator")
                rows = _table(unit, "table", inner, (length, kind)) if inner is not None else {}
                known = rows.get("table")
            found.setdefault(declared_name(declarator), set()).add(known)
    return {name: known for name, (known, *others) in found.items() if known is not None and not others}


def open_ended_members(unit: Unit) -> dict[str, frozenset[str]]:
    """Return the members such as ``char text[]`` of the structs of a file, by the names of the structs."""
    found: dict[str, frozenset[str]] = {}
    for names, listed in _structs(unit):
        last = listed[-1]
        declarator = last.child_by_field_name("declarator")
        if declarator is None or declarator.type != "array_declarator":
            continue
        if declarator.child_by_field_name("size") is None and text(last.child_by_field_name("type")) == "char":
            found |= dict.fromkeys(names, frozenset({declared_name(declarator)}))
    return found


def layouts(unit: Unit) -> dict[str, tuple[str, ...]]:
    """Return the members of the structs of a file in their order, by the names of the structs."""
    return {
        name: members
        for names, listed in _structs(unit)
        if (
            members := tuple(declared_name(one) for each in listed for one in each.children_by_field_name("declarator"))
        )
        for name in names
    }


def _structs(unit: Unit) -> Iterator[tuple[set[str], list[Node]]]:
    """Iterate over the structs with members: their names, also by ``typedef``, and the declarations of the members."""
    for node in walk(unit.root):
        body = node.child_by_field_name("body") if node.type == "struct_specifier" else None
        listed = [one for one in body.named_children if one.type == "field_declaration"] if body is not None else []
        names = {text(node.child_by_field_name("name"))} if listed else set()
        if listed and node.parent is not None and node.parent.type == "type_definition":
            names |= {declared_name(one) for one in node.parent.children_by_field_name("declarator")}
        if names - {""}:
            yield names - {""}, listed


def _initial_length(value: Node | None) -> int | None:
    if value is None:
        return None
    if value.type == "initializer_list":
        designated = any(one.type == "initializer_pair" for one in value.named_children)
        return None if designated else sum(one.type != "comment" for one in value.named_children)
    content = literal(value)
    return len(content) + 1 if content is not None else None


def heap_sizes(unit: Unit, function: Node, sizes: Sizes) -> Sizes:
    """Return the sizes of the memory that variables point to, if each is allocated with one constant size only."""
    elements = {
        name: size_of_type(kind) for kind, name, declarator, _ in declarations(function) if "*" in text(declarator)
    }
    found: dict[str, set[int | None]] = {}
    for node in walk(function):
        if node.type not in ("init_declarator", "assignment_expression"):
            continue
        name = text(node.child_by_field_name("declarator") or node.child_by_field_name("left")).lstrip("* ")
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        if value is None or text(bare(value)) == "NULL" or unit.constant(value) == 0:
            continue
        allocated = called(bare(value)) == "malloc" and len(arguments(bare(value))) == 1
        size = unit.constant(arguments(bare(value))[0], sizes) if allocated else None
        found.setdefault(name, set()).add(size)
    return {
        name: (size // element, element)
        for name, all_sizes in found.items()
        if len(all_sizes) == 1 and (size := next(iter(all_sizes))) is not None and (element := elements.get(name))
    }
