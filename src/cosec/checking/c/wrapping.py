"""Checks of arithmetic that gcc's sanitizers do not know: sizes that wrap, and sums kept in a ``short``.

Unsigned arithmetic may wrap, and hashes depend on it, but the size of an allocation must not. The source is rewritten:
``malloc(count * size)`` becomes ``malloc(COSEC_MUL(count, size))``. This covers the arguments of allocations, and what
the same function assigns to a variable that is such an argument. Line numbers do not change. ``total += x`` with a
``short`` total is computed as an ``int`` and then cut, which is defined behaviour; it is checked in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosec.checking.c.reading.trees import nodes_of, tree_of

if TYPE_CHECKING:
    from tree_sitter import Node

_MACROS = "".join(
    f"#define COSEC_{name.upper()}(a, b) (__extension__ ({{ __typeof__((a) {sign} (b)) cosec_result; "
    f"if (__builtin_{name}_overflow((__typeof__(cosec_result)) (a), (__typeof__(cosec_result)) (b), &cosec_result)) "
    "cosec_wrapped(__LINE__); cosec_result; }))\n"
    f"#define COSEC_{name.upper()}_TO(place, b) (__extension__ ({{ __typeof__(place) cosec_sum; "
    f"if (__builtin_{name}_overflow(place, b, &cosec_sum)) cosec_wrapped(__LINE__); (place) = cosec_sum; }}))\n"
    for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"))
)
CHECKS = "void cosec_wrapped(int);\n" + _MACROS
"""Declarations and macros that the rewritten source uses."""

_ALLOCATORS = frozenset({"malloc", "realloc", "alloca", "aligned_alloc", "valloc"})
_NAMES = {b"+": b"ADD", b"-": b"SUB", b"*": b"MUL"}
_SHORT = frozenset({b"short", b"short int", b"signed short", b"int16_t", b"int8_t", b"signed char"})


def with_checked_sizes(program: str) -> str:
    """Return the program with checked sizes; unchanged if it has none, does not parse or is nested too deeply."""
    if not any(name in program for name in (*_ALLOCATORS, "short", "int16_t", "int8_t", "signed char")):
        return program
    data = program.encode()
    root = tree_of(data).root_node
    if root.has_error:
        return program
    chosen: dict[tuple[int, int], Node] = {}
    for function in (node for node in nodes_of(root) if node.type == "function_definition"):
        for node in (*_size_arithmetic(function), *_short_sums(function)):
            chosen[node.start_byte, node.end_byte] = node
    try:
        return _rewritten(data, root, frozenset(chosen)).decode()
    except RecursionError:
        return program


def _size_arithmetic(function: Node) -> Iterator[Node]:
    sizes = [
        argument
        for call in nodes_of(function)
        if call.type == "call_expression" and _text(call.child_by_field_name("function")).decode() in _ALLOCATORS
        for argument in _argument_nodes(call)
    ]
    names = {_text(node) for size in sizes for node in nodes_of(size) if node.type == "identifier"}
    # One step back is enough for ``size_t bytes = count * size; malloc(bytes)``.
    sizes += [value for name, value in _assigned(function) if name in names]
    for size in sizes:
        yield from (node for node in nodes_of(size) if node.type == "binary_expression" and _operator(node) in _NAMES)


def _short_sums(function: Node) -> Iterator[Node]:
    shorts = {
        _text(name)
        for declaration in nodes_of(function)
        if declaration.type == "declaration" and _text(declaration.child_by_field_name("type")) in _SHORT
        for child in declaration.children_by_field_name("declarator")
        if (name := child.child_by_field_name("declarator") or child).type == "identifier"
    }
    for node in nodes_of(function):
        summed = node.type == "assignment_expression" and _operator(node) in (b"+=", b"-=", b"*=")
        if summed and _text(node.child_by_field_name("left")) in shorts:
            yield node


def _assigned(function: Node) -> Iterator[tuple[bytes, Node]]:
    for node in nodes_of(function):
        pair = {"init_declarator": ("declarator", "value"), "assignment_expression": ("left", "right")}.get(node.type)
        if pair and (value := node.child_by_field_name(pair[1])) and _operator(node) in (b"", b"="):
            yield _text(node.child_by_field_name(pair[0])), value


def _argument_nodes(call: Node) -> list[Node]:
    arguments = call.child_by_field_name("arguments")
    return arguments.named_children if arguments is not None else []


def _operator(node: Node) -> bytes:
    return _text(node.child_by_field_name("operator"))


def _rewritten(data: bytes, node: Node, chosen: frozenset[tuple[int, int]]) -> bytes:
    """Return the node's text with checks around the chosen expressions."""
    if (node.start_byte, node.end_byte) in chosen and node.type in ("binary_expression", "assignment_expression"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = _operator(node)
        suffix = b"_TO" if operator.endswith(b"=") else b""
        if left is not None and right is not None:
            sides = _rewritten(data, left, chosen), _rewritten(data, right, chosen)
            # The line breaks between the operands keep line numbers as they are.
            gap = b"\n" * data[left.end_byte : right.start_byte].count(b"\n")
            return b"COSEC_%s%s(%s, %s%s)" % (_NAMES[operator.rstrip(b"=")], suffix, sides[0], gap, sides[1])
    parts, at = [], node.start_byte if node.parent is not None else 0
    for child in node.children:
        parts += [data[at : child.start_byte], _rewritten(data, child, chosen)]
        at = child.end_byte
    end = node.end_byte if node.parent is not None else len(data)
    return b"".join([*parts, data[at:end]])


def _text(node: Node | None) -> bytes:
    return (node.text or b"") if node is not None else b""
