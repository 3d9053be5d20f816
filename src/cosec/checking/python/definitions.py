"""The definitions of a file: which of its names may read text from outside, by the words of their code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_INPUT = (
    (
        "request",
        r"\brequest\s*\.\s*(args|form|values|json|data|files|cookies|headers|GET|POST|query|params|get_json|get_data|body|"
        r"match_info|path_params|query_params|stream|url|path|full_path)\b",
    ),
    ("self.request", r"\bself\.request\b"),
    ("sys.argv", r"\bsys\.argv\b"),
    ("input(", r"\binput\("),
    ("stdin", r"\bstdin\b"),
    (".recv", r"\.recv\w*\("),
    ("parse_args(", r"\bparse_args\("),
    ("argument(", r"\bget_\w*argument\("),
    ("text_input(", r"\btext_input\("),
    ("receive_message", r"\breceive_messages?\("),
    ("Consumer(", r"Consumer\("),
    ("FieldStorage(", r"FieldStorage\("),
    ("message_from_", r"\bmessage_from_\w+\("),
)
"""Text of code that may read something from outside; the letters before each pattern rule it out quickly."""


def has_source(text: str) -> bool:
    """Tell whether code has the words of a source, such as ``request.args``."""
    return any(letters in text and re.search(pattern, text) for letters, pattern in _INPUT)


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement of a file's own level that defines or changes a name."""

    reads: bool
    """Whether it has the words of a source."""

    mentions: frozenset[str]
    """The names in it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a name of a file comes to use."""

    reads: bool
    """Whether code of the file that it uses has the words of a source."""

    imports: frozenset[tuple[str, str]]
    """What that code imports: a module, with leading dots if it is relative, and a name in it, or an empty text."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions and imports of a file."""

    by_name: dict[str, list[Definition]] = field(default_factory=dict)
    imported: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By the name that an import binds."""

    @classmethod
    def of(cls, tree: ast.Module, text: str) -> Definitions:
        """Gather the definitions of a file from its syntax tree and its text."""
        found = cls()
        lines = text.splitlines(keepends=True)
        for statement in tree.body:
            nodes = list(ast.walk(statement))
            first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
            definition = Definition(
                reads=has_source("".join(lines[first - 1 : statement.end_lineno])),
                mentions=frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
            )
            for name in _names_of(statement, nodes, definition.mentions):
                found.by_name.setdefault(name, []).append(definition)
            for node in nodes:
                for bound, target in _imports_of(node):
                    found.imported.setdefault(bound, []).append(target)
        return found

    def reach(self, name: str) -> Reach | None:
        """Return what a name comes to use; None if that is not known, as the name may come from ``import *``."""
        if "*" in self.imported or (name not in self.by_name and name not in self.imported):
            return None
        seen, waiting, reads = {name}, [name], False
        while waiting:
            for definition in self.by_name.get(waiting.pop(), ()):
                reads = reads or definition.reads
                waiting += definition.mentions - seen
                seen |= definition.mentions
        return Reach(reads, frozenset(each for one in seen for each in self.imported.get(one, ())))


def _names_of(statement: ast.stmt, nodes: list[ast.AST], mentions: frozenset[str]) -> frozenset[str]:
    """Return the names that a statement may define or change."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        declared = (name for node in nodes if isinstance(node, ast.Global) for name in node.names)
        return frozenset({statement.name, *declared})
    inner = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
    return mentions.union(inner)


def _imports_of(node: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """Iterate over the names that an import binds, each with its module and its name there."""
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield alias.asname or alias.name, (module, alias.name)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0], (alias.name, "")
