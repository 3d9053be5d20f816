"""Checks of the source that no linter makes, as functions over files or source text; ``test_house.py`` applies them."""

import ast
import graphlib
from collections.abc import Iterable, Iterator

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

DOCUMENTED_UNDERSCORES = {"_replace", "_asdict", "_fields", "_make", "_exit"}
"""Names that are public in spite of their underscore: those of named tuples, and ``os._exit``."""
ATTRIBUTE_FUNCTIONS = {"getattr", "setattr", "hasattr", "delattr"}


def definitions(tree: ast.AST) -> list[Definition]:
    return [node for node in ast.walk(tree) if isinstance(node, Definition)]


def function_lengths(source: str) -> list[int]:
    lengths = []
    for node in definitions(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            assert node.end_lineno is not None
            lengths.append(node.end_lineno - node.lineno + 1)
    return lengths


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def private_accesses(source: str) -> list[str]:
    """Places where a module uses a private name (one leading underscore) of another module or package.

    The unit of privacy is the module. A private name may be used where it is defined: as a function, class or variable
    of this module, as a method or field of one of its classes, or by assignment to ``self`` or ``cls``. So a method may
    read a private attribute of another instance of its own class. Everything else counts:

    - ``anything._name``, unless ``anything`` is ``self`` or ``cls``;
    - ``from package import _name`` and ``from package._module import name``;
    - ``getattr``, ``setattr``, ``hasattr`` and ``delattr`` with a private name as a literal.
    """
    tree = ast.parse(source)
    own = set(_names_defined(tree)) | DOCUMENTED_UNDERSCORES
    return [
        f"line {line}: {name}" for line, name in sorted(_private_names(tree)) if is_private(name) and name not in own
    ]


def _names_defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            yield node.attr


def _private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not _is_self(node.value):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, name) for name in [*(node.module or "").split("."), *_imported(node)])
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, part) for name in _imported(node) for part in name.split("."))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ATTRIBUTE_FUNCTIONS:
            literals = (one for one in node.args[1:2] if isinstance(one, ast.Constant))
            yield from ((node.lineno, str(one.value)) for one in literals)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names]


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def undocumented_names(source: str) -> list[str]:
    """Public functions, classes, methods and constants of a module without a docstring.

    Public is what has no leading underscore, at the top level of the module or in a public class. A constant, or a
    type alias, is documented by a string right after it. Fields of classes may speak for themselves.
    """
    tree = ast.parse(source)
    return [*_undocumented_definitions(tree), *_undocumented_constants(tree.body)]


def _undocumented_definitions(owner: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield node.name
            if isinstance(node, ast.ClassDef):
                yield from (f"{node.name}.{name}" for name in _undocumented_definitions(node))


def _undocumented_constants(body: list[ast.stmt]) -> Iterator[str]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _is_annotated(node) else []
        names = {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            yield from sorted(name for name in names if not name.startswith("_"))


def _is_annotated(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign)


def import_cycle(imports: Iterable[tuple[str, str]]) -> list[str]:
    """One cycle among (importing, imported) modules, its first module named again at the end; empty if there is none.

    A module imports whatever it names in any import statement, those in functions and under ``TYPE_CHECKING`` included.
    """
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for importing, imported in imports:
        sorter.add(importing, imported)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []
