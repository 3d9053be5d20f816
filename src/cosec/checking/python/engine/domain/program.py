"""A parsed file, and what it can call of its own: functions, lambdas, classes, bound methods, partial applications."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from cosec.checking.python.engine.domain.values import Target, Value
from cosec.checking.python.knowledge.frameworks import TEST_MODULES

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
"""The syntax of a function."""


@dataclass(frozen=True, slots=True, eq=False)
class Function(Target):
    """A function or lambda of the file, with the names of its enclosing scopes."""

    node: FunctionNode
    scopes: tuple[dict[str, Value], ...]
    """Names of the enclosing functions, innermost first."""

    defaults: Mapping[str, Value]
    module: Module
    """The file that defines it."""

    owner: Class | None = None
    """The class that it is a method of."""

    @property
    def name(self) -> str:
        """Its name; ``<lambda>`` for a lambda."""
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name

    @property
    def decorators(self) -> list[ast.expr]:
        """Its decorators."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list

    def decorated(self, *names: str) -> bool:
        """Tell whether a decorator's last name is one of ``names``."""
        return any(last_name(each) in names for each in self.decorators)

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements."""
        if isinstance(self.node, ast.Lambda):
            return [ast.copy_location(ast.Return(value=self.node.body), self.node.body)]
        return self.node.body

    @property
    def parameters(self) -> list[ast.arg]:
        """All parameters that take one argument each, in order, keyword-only ones last."""
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    @property
    def positional(self) -> list[ast.arg]:
        """Parameters that can be given by position."""
        return [*self.node.args.posonlyargs, *self.node.args.args]

    @property
    def is_generator(self) -> bool:
        """Whether calling it makes a generator."""
        return _yields(self.node)


@dataclass(slots=True, eq=False)
class Class(Target):
    """A class of the file."""

    node: ast.ClassDef
    bases: tuple[Value, ...] = ()
    members: dict[str, Value] = field(default_factory=dict)
    """Methods and class attributes."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.name

    def base_names(self) -> set[str]:
        """Last parts of the names of all classes that it inherits from, those of the file included."""
        found = {name.rsplit(".", 1)[-1] for base in self.bases for name in base.names}
        for each in self.own_bases():
            found |= {each.name} | each.base_names()
        return found

    def own_bases(self) -> list[Class]:
        """Return the classes of the file that it inherits from."""
        return [target for base in self.bases for target in base.targets if isinstance(target, Class)]

    def member(self, name: str) -> Value | None:
        """Return a method or class attribute, inherited ones included; None if there is none."""
        if name in self.members:
            return self.members[name]
        for base in self.own_bases():
            found = base.member(name)
            if found is not None:
                return found
        return None

    def annotated_fields(self) -> dict[str, ast.expr]:
        """Return the fields that the body declares, those of its bases first: name -> annotation."""
        found: dict[str, ast.expr] = {}
        for base in self.own_bases():
            found |= base.annotated_fields()
        for statement in self.node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = statement.annotation
        return found

    def field_default(self, name: str) -> ast.expr | None:
        """Return the default that the body declares for a field, inherited ones included; None if there is none."""
        for statement in self.node.body:
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
                return statement.value
        return next((found for base in self.own_bases() if (found := base.field_default(name)) is not None), None)


@dataclass(frozen=True, slots=True, eq=False)
class Bound(Target):
    """A callable with arguments already given: a bound method or a ``functools.partial``."""

    callee: Value
    positional: tuple[Value, ...] = ()
    named: Mapping[str, Value] = field(default_factory=dict)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Return all nodes inside ``node`` that do not belong to a function or class inside it."""
    waiting = _children(node)
    while waiting:
        each = waiting.pop()
        yield each
        if not isinstance(each, _OPENS_SCOPE):
            waiting.extend(_children(each))


_NOTED = (ast.Call, ast.Attribute, ast.Import, ast.ImportFrom)
_OPENS_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


_NO_NODES = frozenset(
    ("ctx", "id", "attr", "op", "ops", "kind", "type_comment", "conversion", "level", "module", "asname", "is_async")
)
"""Fields of nodes without a node that anything looks for."""

_node_fields: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}
"""The other fields, by the kind of the node."""


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly inside ``node``; faster than `ast.iter_child_nodes`."""
    kind = type(node)
    if kind not in _node_fields:
        _node_fields[kind] = tuple(name for name in kind._fields if name not in _NO_NODES)
    found: list[ast.AST] = []
    for name in _node_fields[kind]:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@lru_cache(maxsize=4096)
def text_of(node: ast.AST) -> str:
    """Return the source of a node, without its comments and spacing."""
    return ast.unparse(node)


@lru_cache(maxsize=1024)
def _yields(node: FunctionNode) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(node))


def forget_nodes() -> None:
    """Drop what is kept of earlier nodes, which another file does not need."""
    text_of.cache_clear()
    _yields.cache_clear()


def last_name(node: ast.expr) -> str:
    """Return the last name of an expression: ``route`` of ``@app.route("/")``; empty if there is none."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Gathered:
    """What one pass over a syntax tree gathers; the fields are those of `Program`."""

    def __init__(self, tree: ast.Module) -> None:
        self.imported: set[str] = set()
        self.import_aliases: set[str] = set()
        self.called: set[str] = set()
        waiting: list[tuple[ast.AST, frozenset[str], bool]] = [(tree, frozenset(), True)]
        while waiting:
            node, functions, at_top = waiting.pop()
            if isinstance(node, _NOTED):
                self._visit(node, functions, at_top)
            elif isinstance(node, _OPENS_SCOPE):
                at_top = False
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    functions |= {node.name}
            waiting += [(each, functions, at_top) for each in _children(node)]

    def _visit(self, node: ast.AST, functions: frozenset[str], at_top: bool) -> None:
        """Look at a node inside functions of these names; ``at_top`` if it belongs to the module's top level."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._visit_import(node)
            return
        for name in _names_used(node):
            if (functions and functions != {name}) or (at_top and name.startswith("_")):
                self.called.add(name)

    def _visit_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            self.imported.update(alias.name.split(".")[0] for alias in node.names)
        elif node.module:
            self.imported.add(node.module.split(".")[0])
        self.import_aliases.update(alias.asname or alias.name.split(".")[0] for alias in node.names)


def _names_used(node: ast.AST) -> Iterator[str]:
    """Iterate over names that a node calls, or passes on in a call."""
    if isinstance(node, ast.Call):
        yield last_name(node.func)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Name):
                yield argument.id
            elif isinstance(argument, ast.Attribute):
                yield argument.attr
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        yield node.attr


def _is_test(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module is not None and bool({"test", "testcases"} & set(statement.module.split(".")))
    if isinstance(statement, ast.ClassDef):
        return any(last_name(base).endswith("TestCase") for base in statement.bases)
    return isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_")


@dataclass(frozen=True, slots=True)
class Program:
    """A parsed file, and what its syntax shows before it is run."""

    tree: ast.Module

    imported: frozenset[str]
    """First parts of the names of all modules that it imports."""

    import_aliases: frozenset[str]
    """Names that its imports bind, in any scope."""

    called: frozenset[str]
    """Names of functions and methods that another function of the file calls or passes on.

    Functions that only the module's top level calls are left out, unless their name starts with ``_``. Such a call is a
    demonstration; the real callers are in other files.
    """

    tests: bool
    """Whether it holds tests: it imports a test framework, or has functions or classes named like tests."""

    @classmethod
    def of(cls, tree: ast.Module) -> Self:
        """Gather the facts of a syntax tree."""
        gathered = _Gathered(tree)
        return cls(
            tree=tree,
            tests=bool(gathered.imported & TEST_MODULES) or any(map(_is_test, tree.body)),
            imported=frozenset(gathered.imported),
            import_aliases=frozenset(gathered.import_aliases),
            called=frozenset(gathered.called),
        )


@dataclass(slots=True, eq=False)
class Module:
    """A file with the names of its own level: the judged file, or one that it imports."""

    program: Program
    names: dict[str, Value] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)
    """Modules of its ``from module import *`` statements."""

    path: str = ""
    """Where imports of this file start to look."""

    imported: bool = False
    """Whether it is another file than the judged one."""
