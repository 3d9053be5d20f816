"""Parse Python that is newer than the interpreter.

`ast` reads the grammar of the running Python only. A file in newer syntax is read by tree-sitter, and each newer
construct is rewritten as an older one with the same lines:

* type parameters (3.12, defaults 3.13) are dropped, and ``type X = …`` (3.12) becomes ``X = …``;
* each expression inside an f-string (3.12) becomes a name, which the expression's own syntax tree replaces afterwards;
* ``t"…"`` (3.14) becomes a `TemplateStr`;
* ``except A, B:`` (3.14) gets its parentheses;
* ``lazy import`` (3.15) loses its first word, and ``[*a for a in b]`` (3.15) becomes a nested comprehension.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_TEMPLATE = "template"
_PYTHON_2_NODES = frozenset({"print_statement", "exec_statement"})
_PYTHON_2_TEXT = re.compile(rb"^(0[0-7]+|<>|[uU][rR]['\"]+)$")
_PLAIN = re.compile(r"[^'\"\\{}\n]*\Z")


class TemplateStr(ast.expr):
    """A template string, ``t"…"``; Python 3.14 has the same node in `ast`."""

    _fields = ("values",)
    values: list[ast.expr]


def tree_of(source: str) -> Tree:
    """Return tree-sitter's syntax tree.

    Raises:
        ImportError: If tree-sitter or its grammar of Python is not installed.
    """
    import tree_sitter_python
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_python.language())).parse(source.encode())


def is_python_2(tree: Tree) -> bool:
    """Tell whether a file that is not valid Python 3 has the marks of Python 2."""
    return any(_marks_python_2(node) for node in _nodes(tree.root_node))


def parse(tree: Tree) -> ast.Module:
    """Return the syntax tree of a program in the newest syntax, with the lines of its source.

    Raises:
        SyntaxError: If it is not valid Python.
    """
    rewriter = _Rewriter(tree)
    first_lines = "\n" * tree.root_node.start_point[0]
    module = ast.parse(first_lines + rewriter.rendered(tree.root_node).decode() + "\n")
    filled = rewriter.visit(module)
    assert isinstance(filled, ast.Module)
    return filled


class _Rewriter(ast.NodeTransformer):
    """Renders a tree in older syntax, and puts the expressions of f-strings into the tree that `ast` makes of it."""

    def __init__(self, tree: Tree) -> None:
        root = tree.root_node
        self._source = root.text or b""
        self._start = root.start_byte
        self._prefix = "_hole"
        while self._prefix.encode() in self._source:
            self._prefix += "_"
        self._holes: dict[str, tuple[bytes, int]] = {}
        """Name -> source and first line of the expression that it stands for."""

        self._fresh = 0

    # Rendering

    def rendered(self, node: Node) -> bytes:
        """Return the source of ``node`` in older syntax."""
        special = getattr(self, f"_render_{node.type}", self._all_of)
        text = special(node)
        assert isinstance(text, bytes)
        return text

    def _all_of(self, node: Node) -> bytes:
        return self._joined(node, list(node.children), node.start_byte, node.end_byte)

    def _joined(self, node: Node, children: list[Node], start: int, end: int) -> bytes:
        """Return the source from ``start`` to ``end`` with these children of ``node`` rendered."""
        pieces, place = [], start
        for child in children:
            between = self._between(place, child.start_byte)
            if child.type == "ERROR" and child.text == b"lazy":
                pieces.append(between)
                place = child.end_byte + 1
                continue
            pieces += [between, self._child(node, child)]
            place = child.end_byte
        return b"".join([*pieces, self._between(place, end)])

    def _between(self, start: int, end: int) -> bytes:
        return self._source[start - self._start : end - self._start]

    def _child(self, node: Node, child: Node) -> bytes:
        if child.type == "type_parameter" and node.type in {"function_definition", "class_definition"}:
            return b"\\\n" * (child.text or b"").count(b"\n")
        return self.rendered(child)

    def _render_type_alias_statement(self, node: Node) -> bytes:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        assert left is not None
        assert right is not None
        name = re.match(rb"\w+", left.text or b"")
        lines = self._between(node.start_byte, right.start_byte).count(b"\n")
        return (name[0] if name else b"_") + b" =" + b" \\\n" * lines + b" " + self.rendered(right)

    def _render_except_clause(self, node: Node) -> bytes:
        commas = [place for place, child in enumerate(node.children) if child.type == ","]
        if not commas:
            return self._all_of(node)
        first, last = node.children[commas[0] - 1], node.children[commas[-1] + 1]
        inside = [child for child in node.children if first.start_byte <= child.start_byte <= last.start_byte]
        after = [child for child in node.children if child.start_byte > last.start_byte]
        return b"%s(%s)%s" % (
            self._between(node.start_byte, first.start_byte),
            self._joined(node, inside, first.start_byte, last.end_byte),
            self._joined(node, after, last.end_byte, node.end_byte),
        )

    def _render_comprehension(self, node: Node) -> bytes:
        splat = next((child for child in node.children if child.type == "list_splat"), None)
        if splat is None:
            return self._all_of(node)
        self._fresh += 1
        item = f"{self._prefix}_item{self._fresh}".encode()
        clauses = [child for child in node.children if child.start_byte > splat.start_byte][:-1]
        end = node.children[-1].start_byte
        opening, closing = self._between(node.start_byte, splat.start_byte), self._between(end, node.end_byte)
        rest = self._joined(node, clauses, splat.end_byte, end)
        return b"%s%s%s for %s in (%s)%s" % (opening, item, rest, item, self.rendered(splat.children[1]), closing)

    _render_list_comprehension = _render_comprehension
    _render_set_comprehension = _render_comprehension
    _render_generator_expression = _render_comprehension

    def _render_string(self, node: Node) -> bytes:
        opening = (node.children[0].text or b"") if node.children else b""
        prefix = opening.rstrip(b"'\"")
        kind = prefix.lower().replace(b"r", b"")
        if kind not in {b"f", b"t"}:
            return node.text or b""
        pieces = [prefix.replace(b"t", b"f").replace(b"T", b"f"), opening[len(prefix) :]]
        if kind == b"t":
            pieces.append(f"{{{self._prefix}_{_TEMPLATE}}}".encode())
        lines = 0
        for child in node.children[1:]:
            if child.type == "interpolation":
                pieces.append(self._hole(child))
                lines += (child.text or b"").count(b"\n")
            else:
                pieces.append(child.text or b"")
        return b"".join(pieces) + b"\\\n" * lines

    def _hole(self, node: Node) -> bytes:
        """Return ``{name!r:format}`` for an interpolation, and keep its expression under the name."""
        opening, *inside, closing = node.children
        ends = [child for child in inside if child.type in {"=", "type_conversion", "format_specifier"}]
        end = ends[0] if ends else closing
        expression = [child for child in inside if child.end_byte <= end.start_byte]
        name = f"{self._prefix}{len(self._holes)}"
        self._holes[name] = (b"", 0)
        text = self._joined(node, expression, opening.end_byte, end.start_byte)
        self._holes[name] = (text, opening.start_point[0] + 1)
        made, shown = name.encode(), b""
        if any(child.type == "=" for child in ends):
            if _PLAIN.match(text.decode()):
                shown = text + b"="
            made += b"!r" if len(ends) == 1 else b""
        for child in ends:
            if child.type == "type_conversion":
                made += child.text or b""
            elif child.type == "format_specifier":
                made += self._specifier(child)
        return b"%s{%s}" % (shown, made)

    def _specifier(self, node: Node) -> bytes:
        pieces, place = [], node.start_byte
        for child in node.children:
            between = self._between(place, child.start_byte)
            pieces += [between, self._hole(child) if child.type == "format_expression" else child.text or b""]
            place = child.end_byte
        return b"".join([*pieces, self._between(place, node.end_byte)]).replace(b"\n", b" ")

    # Filling

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Put the expression in the place of the name that stands for it."""
        hole = self._holes.get(node.id)
        if hole is None:
            return node
        text, line = hole
        expression = ast.parse(b"(" + text + b"\n)", mode="eval").body
        ast.increment_lineno(expression, line - 1)
        filled = self.visit(expression)
        assert isinstance(filled, ast.AST)
        return filled

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Make a template string of an f-string that carries the mark of one."""
        marked = [each for each in node.values if not self._is_mark(each)]
        if len(marked) == len(node.values):
            return self.generic_visit(node)
        made = TemplateStr()
        made.values = marked
        return self.generic_visit(ast.copy_location(made, node))

    def _is_mark(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.FormattedValue)
            and isinstance(node.value, ast.Name)
            and node.value.id == f"{self._prefix}_{_TEMPLATE}"
        )


def _nodes(node: Node) -> list[Node]:
    found, waiting = [], [node]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting.extend(each.children)
    return found


def _marks_python_2(node: Node) -> bool:
    if node.type in _PYTHON_2_NODES:
        return True
    if node.type in {"integer", "<>", "string_start"}:
        return _PYTHON_2_TEXT.match(node.text or b"") is not None and (node.text or b"").strip(b"0") != b""
    if node.type == "raise_statement":
        return any(child.type == "expression_list" for child in node.children)
    if node.type == "except_clause":
        # ``except ValueError, error:`` names a variable; exceptions have capitals or a dot.
        commas = [place for place, child in enumerate(node.children) if child.type == ","]
        last = node.children[commas[0] + 1] if len(commas) == 1 else None
        return last is not None and last.type == "identifier" and (last.text or b"").decode().islower()
    return False
