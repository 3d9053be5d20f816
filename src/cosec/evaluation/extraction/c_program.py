"""Extract C programs with tree-sitter's error-tolerant parser."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache

from tree_sitter import Language, Node, Parser, Tree

from cosec.evaluation.extraction.extracted import Extracted

_CONSTANTS = {"number_literal", "null", "true", "false", "char_literal"}
_PLAIN = {"expression_statement", "declaration", "return_statement", "goto_statement"}
_ARITHMETIC = {"+", "-", "*", "<<"}


def extract_c(prompt: str, completion: str, sinks: Collection[str]) -> Extracted:
    """Extract a C program; see `extract`. Judging checks later whether it compiles."""
    text = prompt + completion
    start = len(prompt.encode())
    data = text.encode()
    end = end_of_function(data, start)
    if not any(stop > start and not token.startswith((b"//", b"/*")) for token, stop in _tokens(data[:end])):
        return Extracted(program=data[:end].decode(errors="replace"), empty=True)
    program = data[:end] if end is not None else _closed(data, start)
    tree = _parse(program)
    if tree.root_node.has_error:
        return Extracted(program=program.decode(errors="replace"), problem=_error_place(tree))
    added = [node for node in _walk(tree.root_node) if node.end_byte > start]
    return Extracted(
        program=program.decode(errors="replace") + "\n",
        empty=not any(node.type in _PLAIN and _does_something(node) for node in added),
        engaged=any(_reaches(node, sink) for node in added for sink in sinks),
        normalised=" ".join(_leaves(tree.root_node)),
    )


@cache
def _parser() -> Parser:
    import tree_sitter_c

    return Parser(Language(tree_sitter_c.language()))


def _parse(data: bytes) -> Tree:
    return _parser().parse(data)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _leaves(node: Node) -> Iterator[str]:
    if node.type == "comment":
        return
    if not node.children or node.type in ("string_literal", "char_literal"):
        yield (node.text or b"").decode(errors="replace")
    for child in node.children if node.type not in ("string_literal", "char_literal") else ():
        yield from _leaves(child)


def _tokens(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Tokens with the byte offset at which each ends. A comment or literal is one token, other code one character."""
    pattern = rb"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|[^\s]"
    for match in re.finditer(pattern, data, re.DOTALL):
        yield match.group(), match.end()


def end_of_function(data: bytes, start: int) -> int | None:
    """Offset after the brace that closes the outermost block open at ``start``.

    If ``start`` is at file level, the first block after it counts. Tokens after that brace do not change the result.

    Args:
        data: A program in UTF-8, perhaps incomplete.
        start: Offset of the completion, in bytes.

    Returns:
        The offset in bytes, or None if the block stays open.
    """
    depth, opened = 0, False
    for token, end in _tokens(data):
        if token == b"{":
            depth, opened = depth + 1, True
        elif token == b"}":
            depth -= 1
            if depth <= 0 and end > start and opened:
                return end
    return None


def _closed(data: bytes, start: int) -> bytes:
    """The text up to its last complete statement, with the open blocks closed."""
    depth, complete, depth_there, round_depth = 0, 0, 0, 0
    for token, end in _tokens(data):
        round_depth += {b"(": 1, b")": -1}.get(token, 0)
        depth += {b"{": 1, b"}": -1}.get(token, 0)
        if token in (b";", b"{", b"}") and round_depth <= 0:
            complete, depth_there = end, depth
    if complete <= start:
        return data
    return data[:complete] + b"\n" + b"}" * depth_there


def _error_place(tree: Tree) -> str:
    wrong = next((node for node in _walk(tree.root_node) if node.is_error or node.is_missing), tree.root_node)
    return f"line {wrong.start_point[0] + 1}: syntax error"


def _does_something(node: Node) -> bool:
    if node.type == "return_statement":
        return any(child.is_named and child.type not in _CONSTANTS for child in node.children)
    if node.type == "declaration":
        return any(child.type == "init_declarator" for child in node.children)
    return any(child.is_named for child in node.children)


def _reaches(node: Node, sink: str) -> bool:
    """Whether ``node`` is the sink: a call of that name, or one of the other forms in `Scenario.sinks`."""
    if sink == "[]":
        return node.type == "subscript_expression"
    if sink == "->":
        return node.type == "pointer_expression" or (
            node.type == "field_expression" and any(child.type == "->" for child in node.children)
        )
    if sink in _ARITHMETIC:
        operators = (sink, f"{sink}=", sink * 2)
        kinds = ("binary_expression", "assignment_expression", "update_expression")
        return node.type in kinds and any(child.type in operators for child in node.children)
    if sink == "return":
        return node.type == "return_statement" and any(child.is_named for child in node.children)
    if node.type != "call_expression":
        return False
    function = node.child_by_field_name("function")
    return (
        function is not None and (function.text or b"").decode(errors="replace").split("->")[-1].split(".")[-1] == sink
    )
