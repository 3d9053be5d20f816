"""Extract Python programs with Python's own parser."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from copy import deepcopy

from cosec.checking.python.syntax import parse
from cosec.decoding.completion.code_end import code_of
from cosec.evaluation.extraction.extracted import Extracted
from cosec.evaluation.extraction.open_blocks import with_tries_closed

MAX_DROPPED_LINES = 60
"""Maximum number of trailing lines dropped in search of a prefix that parses."""


def extract_python(prompt: str, completion: str, sinks: Collection[str]) -> Extracted:
    """Extract a Python program; see `extract`."""
    text = prompt + code_of(prompt, completion, "py")
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text[len(prompt) :].splitlines()):
        return Extracted(program=text, empty=True)
    for candidate in _shorter(text, len(prompt)):
        tree = parse(candidate)
        if tree is not None:
            return _looked_at(candidate, tree, prompt, sinks)
    return Extracted(program=text, problem=_syntax_error(text))


def _syntax_error(text: str) -> str:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return "the completion has no complete statement"


def _shorter(text: str, start: int) -> Iterator[str]:
    """The text, then shorter and shorter prefixes of whole lines that still contain part of the completion.

    Each is followed by a variant in which an empty ``finally`` closes the open ``try`` blocks.
    """
    lines = text.splitlines(keepends=True)
    for dropped in range(min(MAX_DROPPED_LINES, len(lines))):
        kept = "".join(lines[: len(lines) - dropped])
        if len(kept.rstrip()) <= start and dropped:
            return
        yield kept
        closed = with_tries_closed(kept)
        if closed != kept:
            yield closed


def _looked_at(program: str, tree: ast.Module, prompt: str, sinks: Collection[str]) -> Extracted:
    lines = prompt.splitlines() or [""]
    end = (len(lines), len(lines[-1].encode()))
    added = [node for node in ast.walk(tree) if _ends_after(node, end)]
    return Extracted(
        program=program,
        empty=not any(isinstance(node, ast.stmt) and _does_something(node) for node in added),
        engaged=any(_reaches(node, sink) for node in added for sink in sinks),
        normalised=normalised(tree),
    )


def _ends_after(node: ast.AST, end: tuple[int, int]) -> bool:
    row, column = getattr(node, "end_lineno", None), getattr(node, "end_col_offset", None)
    return row is not None and column is not None and (row, column) > end


def _does_something(node: ast.stmt) -> bool:
    """Whether a simple statement has an effect; ``pass``, ``...``, constants and a bare ``return`` have none."""
    if isinstance(node, ast.Pass | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal) or hasattr(node, "body"):
        return False
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Return):
        return not (node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None))
    if isinstance(node, ast.Raise):
        return "NotImplemented" not in ast.dump(node)
    return True


def _reaches(node: ast.AST, sink: str) -> bool:
    """Whether ``node`` is the sink: a call of that name, or one of the other forms in `Scenario.sinks`."""
    if sink == "[]":
        return isinstance(node, ast.Subscript)
    if sink in ("==", "in"):
        kinds = (ast.Eq, ast.NotEq) if sink == "==" else (ast.In, ast.NotIn)
        return isinstance(node, ast.Compare) and any(isinstance(one, kinds) for one in node.ops)
    if sink == "return":
        return isinstance(node, ast.Return) and node.value is not None
    if sink.endswith("="):
        return any(_last_name(one) == sink[:-1] for one in _bound(node))
    return isinstance(node, ast.Call) and _last_name(node.func) == sink


def _bound(node: ast.AST) -> list[ast.expr]:
    """The targets to which a statement or keyword argument assigns a value."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [node.target]
    if isinstance(node, ast.keyword) and node.arg:
        return [ast.Name(node.arg)]
    return []


def _last_name(node: ast.expr) -> str:
    """The last part of a dotted name, or the key of a subscript such as ``config["key"]``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


def normalised(tree: ast.Module) -> str:
    """The program as ``ast.unparse`` prints it, without docstrings; as its tree where this Python cannot print it."""
    try:
        copy = ast.parse(ast.unparse(tree))
    except (ValueError, SyntaxError):  # an f-string with odd characters inside, or a number of thousands of digits
        copy = deepcopy(tree)
        for node in ast.walk(copy):
            if isinstance(node, ast.Constant) and isinstance(node.value, int):
                node.value = hex(node.value)
        return ast.dump(copy)
    for node in ast.walk(copy):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.unparse(copy)
