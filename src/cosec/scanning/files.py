"""The files of a scan: the named ones, and the Python and C files of named folders.

Nothing is left out in silence: folders that cannot be listed, files of other languages and folders without anything to
check are told.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.checking.finding import Unscored
from cosec.checking.patterns import Language, language_of
from cosec.scanning.adoption.exclusion import Exclusion

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
"""Folders that are not searched, besides hidden ones."""

MAX_FILE_BYTES = 4_000_000
"""Larger files are not judged: parsing is one step, which no time limit ends, and takes up to 0.5 GB a megabyte."""

TOO_LARGE = f"not judged: it is larger than {MAX_FILE_BYTES / 1e6:g} MB"
"""The reason of larger files."""

_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Errors that say that a path leads nowhere, and not that it may not be looked at."""

_OTHER_LANGUAGES = {
    "C++": ".cc .cpp .cxx .C .hh .hpp .hxx .H",
    "C#": ".cs",
    "Go": ".go",
    "Java": ".java",
    "JavaScript": ".js .mjs .cjs .jsx",
    "Kotlin": ".kt .kts",
    "Lua": ".lua",
    "Objective-C": ".m .mm",
    "Perl": ".pl .pm",
    "PHP": ".php",
    "R": ".r .R",
    "Ruby": ".rb",
    "Rust": ".rs",
    "Scala": ".scala",
    "shell": ".sh .bash .zsh",
    "SQL": ".sql",
    "Swift": ".swift",
    "TypeScript": ".ts .tsx",
    "Cython": ".pyx .pxd",
    "CUDA": ".cu .cuh",
}
_BY_SUFFIX = {suffix: language for language, suffixes in _OTHER_LANGUAGES.items() for suffix in suffixes.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a scan."""

    path: Path

    shown: str
    """The path in results: relative to the working folder if it is inside, with forward slashes."""

    language: Language | None
    """None if no checker reads its language."""

    size: int
    """In bytes; 0 if it is unknown."""

    @property
    def too_large(self) -> bool:
        """Whether it is not judged because of its size."""
        return self.size > MAX_FILE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """What was found under the paths of a scan."""

    files: tuple[SourceFile, ...]
    """Each file once, in the order of their shown paths."""

    unscored: tuple[Unscored, ...]
    """Folders that cannot be listed."""

    other_languages: Mapping[str, int]
    """Number of files inside folders in languages that no checker reads, most frequent first."""

    errors: tuple[str, ...]
    """Paths that do not exist, and folders without Python or C, a sentence each."""


def find_files(paths: Sequence[Path], *, exclusion: Exclusion | None = None, allow_empty: bool = False) -> FoundFiles:
    """Find the files to check.

    Args:
        paths: Files, which are taken whatever their names, and folders, which are searched.
        exclusion: What is left out inside folders, unless the folder itself is named though it is left out.
        allow_empty: Whether a folder without Python or C is fine.
    """
    found: dict[str, SourceFile] = {}
    unscored: list[Unscored] = []
    others: dict[str, str] = {}
    errors = []
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - False, no error, in a folder that may not be entered
            named = exclusion is None or exclusion(path, is_folder=True)
            search = _Search(path, None if named else exclusion)
            unscored += search.unscored
            others |= search.others
            if not search.files and not allow_empty:
                errors.append(search.nothing_found())
            files = search.files
        elif _is_file(path):
            files = [path]
        else:
            errors.append(f"There is no file or folder {str(path)!r}.")
            continue
        for file in files:
            shown = shown_path(file)
            found.setdefault(shown, SourceFile(path=file, shown=shown, language=language_of(file), size=_size_of(file)))
    return FoundFiles(
        files=tuple(found[shown] for shown in sorted(found)),
        unscored=tuple(sorted(set(unscored))),
        other_languages=dict(Counter(others.values()).most_common()),
        errors=tuple(errors),
    )


def shown_path(path: str | Path) -> str:
    """Return the path with forward slashes, relative to the working folder if it is inside."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
    here = Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.as_posix()


class _Search:
    """The result of searching one folder."""

    def __init__(self, folder: Path, exclusion: Exclusion | None) -> None:
        self._folder = folder
        self.files: list[Path] = []
        self.unscored: list[Unscored] = []
        self.others: dict[str, str] = {}
        """Shown path -> language."""

        self._skipped = 0
        self._excluded = 0
        for root, folders, names in os.walk(folder, onerror=self._not_listed):
            kept = [name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS]
            self._skipped += len(folders) - len(kept)
            folders[:] = [name for name in kept if exclusion is None or not exclusion(Path(root, name), is_folder=True)]
            self._excluded += len(kept) - len(folders)
            self._note_links(Path(root), folders)
            for name in names:
                path = Path(root, name)
                if exclusion is not None and exclusion(path):
                    self._excluded += 1
                    continue
                if language_of(path) is None:
                    if path.suffix in _BY_SUFFIX:
                        self.others[shown_path(path)] = _BY_SUFFIX[path.suffix]
                elif _is_file(path):
                    self.files.append(path)

    def _note_links(self, root: Path, names: Iterable[str]) -> None:
        """Note links to folders elsewhere, which are not followed."""
        for path in (root / name for name in names):
            if path.is_symlink() and not path.resolve().is_relative_to(self._folder.resolve()):
                reason = "a link to a folder elsewhere, which is not followed; name it to check it"
                self.unscored.append(Unscored(path=shown_path(path), reason=reason))

    def _not_listed(self, error: OSError) -> None:
        shown = shown_path(os.fsdecode(error.filename))
        self.unscored.append(Unscored(path=shown, reason=f"the folder cannot be read: {error.strerror}"))

    def nothing_found(self) -> str:
        """Say that there is nothing to check, and what was left out."""
        left_out = [described(dict(Counter(self.others.values()).most_common()))]
        if self._skipped:
            left_out.append(f"{self._skipped} hidden or generated folder{'s' if self._skipped > 1 else ''}")
        if self._excluded:
            left_out.append(f"{self._excluded} excluded by patterns")
        named = ", ".join(filter(None, left_out))
        skipped = f" Not looked at: {named}." if named else ""
        return f"There is no Python or C file in the folder {str(self._folder)!r}.{skipped} --allow-empty accepts that."


def described(other_languages: Mapping[str, int]) -> str:
    """Describe counts of files by language: ``3 JavaScript files, 1 Go file``; empty if there are none."""
    return ", ".join(f"{count} {name} file{'s' if count > 1 else ''}" for name, count in other_languages.items())


def _is_file(path: Path) -> bool:
    """Tell whether a path is a file; one that may not be looked at counts, so that it is reported as unscored."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.errno not in _NOTHING_THERE
    except ValueError:  # a null character
        return False


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
