"""Extract C programs with tree-sitter's error-tolerant parser."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from cosec.checking.c.reading.trees import nodes_of, tree_of
from cosec.decoding.completion.code_end import code_of
from cosec.decoding.completion.function_end import c_tokens, function_end
from cosec.evaluation.extraction.extracted import Extracted

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_CONSTANTS = {"number_literal", "null", "true", "false", "char_literal"}
_PLAIN = {"expression_statement", "declaration", "return_statement", "goto_statement"}
_WHOLE = {"string_literal", "char_literal"}
_ARITHMETIC = {"+", "-", "*", "<<"}


def extract_c(prompt: str, completion: str, sinks: Collection[str]) -> Extracted:
    """Extract a C program; see `extract`. Judging checks later whether it compiles."""
    code = code_of(prompt, completion, "c")
    text, start = prompt + code, len(prompt)
    if not any(end > start and not token.startswith(("//", "/*")) for token, end in c_tokens(text)):
        return Extracted(program=text, empty=True)
    ended = function_end(prompt, code, "c") is not None
    program = (text if ended else _closed(text, start)).encode()
    start = len(prompt.encode())
    tree = tree_of(program)
    if tree.root_node.has_error:
        return Extracted(program=program.decode(errors="replace"), problem=_error_place(tree))
    added = [node for node in nodes_of(tree.root_node) if node.end_byte > start]
    return Extracted(
        program=program.decode(errors="replace") + "\n",
        empty=not any(node.type in _PLAIN and _does_something(node) for node in added),
        engaged=any(_reaches(node, sink) for node in added for sink in sinks),
        normalised=" ".join(_leaves(tree.root_node)),
    )


def _leaves(root: Node) -> Iterator[str]:
    """The tokens of a tree without comments; a literal is one token."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            continue
        if not node.children or node.type in _WHOLE:
            yield (node.text or b"").decode(errors="replace")
        else:
            waiting += reversed(node.children)


def _closed(text: str, start: int) -> str:
    """The text up to its last complete statement, with the open blocks closed."""
    depth, complete, depth_there, round_depth = 0, 0, 0, 0
    for token, end in c_tokens(text):
        round_depth += {"(": 1, ")": -1}.get(token, 0)
        depth += {"{": 1, "}": -1}.get(token, 0)
        if token in (";", "{", "}") and round_depth <= 0:
            complete, depth_there = end, depth
    if complete <= start:
        return text
    return text[:complete] + _ends_of_conditions(text[complete:]) + "\n" + "}" * depth_there


def _ends_of_conditions(rest: str) -> str:
    """The preprocessor lines right after a statement up to the last ``#endif``, without which the program is broken."""
    lines = list(takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), rest.split("\n")))
    ends = [number for number, line in enumerate(lines) if re.match(r"\s*#\s*endif\b", line)]
    return "\n".join(lines[: ends[-1] + 1]) if ends else ""


def _error_place(tree: Tree) -> str:
    wrong = next((node for node in nodes_of(tree.root_node) if node.is_error or node.is_missing), tree.root_node)
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
