"""Settings of ``cosec check`` that a project keeps in ``[tool.cosec.check]`` of its ``pyproject.toml``.

Every key is the name of a flag, or ``paths``. Paths are relative to the folder of the file. Flags that let programs run
are no keys: to check a folder must not run what is in it because a file in it says so.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosec.checking.registry import RUN_PROGRAMS
from cosec.errors import SettingsError
from cosec.files import why_unreadable

FILE_NAME = "pyproject.toml"
"""Name of the file that is looked for."""

TABLE = "tool.cosec.check"
"""Name of the table in it."""

_Check = Callable[[Any], str | None]
"""Says what a value must be, or None if it is that."""


def _texts(value: Any) -> str | None:
    is_fine = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return None if is_fine else "a list of strings"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "a string"


def _one_of(*words: str) -> _Check:
    return lambda value: None if value in words else f"one of {', '.join(map(repr, words))}"


KEYS: Mapping[str, _Check] = {
    "paths": _texts,
    "exclude": _texts,
    "checker": _texts,
    "pattern": _texts,
    "fail-on": _one_of("error", "warning", "note", "never"),
    "entry-points": _one_of("declared", "all"),
    "baseline": _text,
}
"""Every key, with what its value must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings of a project."""

    file: Path | None = None
    """Where they were read; None if there are none."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """By the names of `KEYS`."""

    @property
    def folder(self) -> Path:
        """The folder that paths and excluded files are relative to."""
        return Path() if self.file is None else self.file.parent

    def choose(self, key: str, given: Any, default: Any) -> Any:
        """Return what counts: a value given on the command line, else the project's, else the default.

        Args:
            key: A name of `KEYS`.
            given: None or empty if the command line does not say.
            default: If neither says.
        """
        return given if given is not None and given != () else self.values.get(key, default)

    def paths(self) -> tuple[Path, ...]:
        """Return the files and folders to check if none are named, as seen from the working folder."""
        return tuple(self._seen(one) for one in self.values.get("paths", ()))

    def baseline(self) -> Path | None:
        """Return the file of known findings, as seen from the working folder."""
        name = self.values.get("baseline")
        return None if name is None else self._seen(name)

    def _seen(self, name: str) -> Path:
        return Path(os.path.relpath(self.folder / name))


def find_configuration(paths: Sequence[Path]) -> Configuration:
    """Read the settings of the project that files belong to.

    The nearest ``pyproject.toml`` with our table counts, searched from the folder that all paths share, upward.

    Args:
        paths: What is checked; if empty, the search starts in the working folder.

    Raises:
        SettingsError: If a file on the way is no TOML, or its table is wrong.
    """
    absolute = [os.path.abspath(path) for path in paths or [Path()]]  # noqa: PTH100 - links stay as they are named
    shared = Path(os.path.commonpath(absolute))
    for folder in (shared, *shared.parents):
        file = folder / FILE_NAME
        is_there = os.path.isfile(file)  # noqa: PTH113 - False, no error, in a folder that may not be entered
        if is_there and (table := _table(file)) is not None:
            return _configuration(file, table)
    return Configuration()


def read_configuration(file: Path) -> Configuration:
    """Read the settings in a file.

    Raises:
        SettingsError: If it cannot be read, has no table of ours, or the table is wrong.
    """
    table = _table(file)
    if table is None:
        raise SettingsError(f"{file} has no [{TABLE}]; add it, or name another file with --config.")
    return _configuration(file, table)


def _table(file: Path) -> Any:
    try:
        values: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read {file}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {why_unreadable(error)}. --isolated ignores it.") from None
    for name in TABLE.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _configuration(file: Path, table: Any) -> Configuration:
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: {TABLE} is no table; write [{TABLE}].")
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, list(KEYS), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(KEYS)}."
            raise SettingsError(f"{file}: [{TABLE}] has no key {key!r}. {hint}")
        if (wanted := KEYS[key](value)) is not None:
            raise SettingsError(f"{file}: {key} in [{TABLE}] is {value!r}, but must be {wanted}.")
        for name in sorted(RUN_PROGRAMS.intersection(value if key == "checker" else ())):
            raise SettingsError(f"{file}: the checker {name} runs programs; ask for it with --checker {name}.")
    return Configuration(file=Path(os.path.relpath(file)), values=table)
