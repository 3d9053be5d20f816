"""The files of a project that one of its files imports.

A module is looked for beside the importing file, in the folder above the package that the file is in, and from the
folder that marks a project (``pyproject.toml``, ``.git``, …). Installed packages are not read.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cosec.checking.python.definitions import Definitions, has_source
from cosec.checking.python.syntax import NotPythonError, decoded, parse_any_version

MAX_BYTES = 200_000
"""Larger files are not followed."""

MAX_SEARCHES = 60
"""Modules of modules that are looked for, to see whether they read text from outside."""

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "manage.py", ".git")
_TESTS = re.compile(r"(^|_)(tests?|testing)$")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_MAX_FOLDERS = 12
"""Folders around a file whose names and marks say to which package and project it belongs."""

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import|import[ \t]+([\w.]+))", re.MULTILINE)


class ProjectModules:
    """Finds modules of the project of a file; implements the engine's ``Imports``."""

    def __init__(self) -> None:
        self.looked_for: set[str] = set()
        """Paths of files whose content, or absence, decided something."""

        self._found: dict[tuple[str, str], str | None] = {}
        self._files_reading: dict[str, bool] = {}
        self._reads_input: dict[tuple[str, str], bool] = {}
        self._searches = MAX_SEARCHES

    def find(self, name: str, importer: str) -> str | None:
        """Return the path of a module of the same project; None for others."""
        key = (name, importer)
        if key not in self._found:
            places = _places(name, Path(importer).parent)
            self._found[key] = next((str(path) for path in places if self._exists(path)), None)
        return self._found[key]

    def in_tests(self, path: str) -> bool:
        """Tell whether a file lies in a package of tests, such as ``shop.tests`` or ``shop_test.data``."""
        for folder in Path(path).parents[:_MAX_FOLDERS]:
            if not self._exists(folder / "__init__.py"):
                return False
            if _TESTS.search(folder.name):
                return True
        return False

    def _exists(self, path: Path) -> bool:
        self.looked_for.add(str(path))
        return os.path.isfile(path)  # noqa: PTH113 - False, no error, in a folder that may not be entered

    def reads_input(self, path: str, name: str) -> bool:
        """Tell whether a name of a file may read text from outside, by that file's code or that of its imports."""
        key = (path, name)
        if key not in self._reads_input:
            self._reads_input[key] = self._file_reads(path) and self._name_reads(path, name)
        return self._reads_input[key]

    def _file_reads(self, path: str) -> bool:
        """Tell whether any code of a file, or of the modules that it imports, may read."""
        if path not in self._files_reading:
            reads, imported = self._facts(path)
            if not reads:
                names = imported[: self._searches]
                self._searches -= len(names)
                files = (self.find(name, path) for name in names)
                reads = any(self._facts(each)[0] for each in files if each is not None)
            self._files_reading[path] = reads
        return self._files_reading[path]

    def _name_reads(self, path: str, name: str) -> bool:
        definitions = self._definitions(path)
        reach = None if definitions is None else definitions.reach(name)
        return reach is None or reach.reads or any(self._import_reads(path, *each) for each in sorted(reach.imports))

    def _import_reads(self, importer: str, module: str, name: str) -> bool:
        """Tell whether what a file imports may read by its own code."""
        if module.split(".")[0] in sys.stdlib_module_names:
            return False
        separator = "" if module.endswith(".") else "."
        whole = self.find(f"{module}{separator}{name}" if name else module, importer)
        if whole is not None or not name:
            return whole is not None and self._facts(whole)[0]
        path = self.find(module, importer)
        if path is None or not self._facts(path)[0]:
            return False
        definitions = self._definitions(path)
        reach = None if definitions is None else definitions.reach(name)
        return reach is None or reach.reads

    def tree(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a file; None if it has none, or is too large."""
        version = self._version(path)
        return None if version is None else _tree(path, *version)

    def _definitions(self, path: str) -> Definitions | None:
        version = self._version(path)
        return None if version is None else _definitions(path, *version)

    def _facts(self, path: str) -> tuple[bool, list[str]]:
        version = self._version(path)
        return (False, []) if version is None else _facts(path, *version)

    def _version(self, path: str) -> tuple[int, int] | None:
        """Return what tells one content of a file from another; None for a file that is not read."""
        self.looked_for.add(path)
        try:
            status = Path(path).stat()
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size) if status.st_size <= MAX_BYTES else None


def _text(path: str) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        return decoded(Path(path).read_bytes())
    except (OSError, NotPythonError):
        return ""


@lru_cache(maxsize=8192)
def _facts(path: str, changed: int, size: int) -> tuple[bool, list[str]]:
    """Tell whether a file may itself read text from outside, and which modules it imports."""
    text = _text(path)
    names = dict.fromkeys(found[1] or found[2] for found in _IMPORT.finditer(text))
    return has_source(text), [name for name in names if name.split(".")[0] not in sys.stdlib_module_names]


@lru_cache(maxsize=512)
def _definitions(path: str, changed: int, size: int) -> Definitions | None:
    tree = _tree(path, changed, size)
    return None if tree is None else Definitions.of(tree, _text(path))


@lru_cache(maxsize=16)
def _tree(path: str, changed: int, size: int) -> ast.Module | None:
    try:
        return parse_any_version(_text(path))
    except (NotPythonError, RecursionError):
        return None


def _places(name: str, folder: Path) -> Iterator[Path]:
    """Iterate over the files that may be the module ``name`` for a file in ``folder``."""
    level = len(name) - len(name.lstrip("."))
    parts = name[level:].split(".") if name[level:] else []
    for root in _roots(folder, level, parts[0] if parts else ""):
        place = root.joinpath(*parts)
        if parts:
            yield place.with_name(f"{place.name}.py")
        yield place / "__init__.py"


def _roots(folder: Path, level: int, first: str) -> Iterator[Path]:
    """Iterate over the folders from which a module is looked for; ``first`` is the first part of its name."""
    if level:
        above = [folder, *folder.parents]
        if level <= len(above):
            yield above[level - 1]
        return
    yield folder
    inside, top = _project(folder)
    for each in _around(folder):
        if each.name == first:
            yield each.parent
    yield from inside
    if top is not None:
        yield top / "src"


def _around(folder: Path) -> list[Path]:
    """Return a folder and those above it, as far as they matter."""
    return [folder, *folder.parents][:_MAX_FOLDERS]


def surroundings(path: Path) -> list[str | int]:
    """Return what else findings depend on: the names of the folders around a file, and which of them is the project."""
    folder = path.absolute().parent
    inside, top = _project(folder)
    return [*(each.name for each in _around(folder)), -1 if top is None else len(inside)]


@lru_cache(maxsize=256)
def _project(folder: Path) -> tuple[tuple[Path, ...], Path | None]:
    """Return the folders above ``folder`` up to the one that marks a project, and that one; none without a mark."""
    found = []
    for each in _around(folder):
        if each.name in _INSTALLED:
            break
        found.append(each)
        if any((each / mark).exists() for mark in _MARKS):
            return tuple(found[1:]), each
    return (), None
