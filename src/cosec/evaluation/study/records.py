"""A study's folder: a manifest, and append-only JSONL records that survive a kill at any moment.

A study is divided into *units* of whole tasks, with one file for each. A process works on a unit while it holds the
unit's lock, so several processes can share one folder without repeating work. If a kill cut off the last line of a
file, that line is dropped when the unit is continued.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosec.errors import StudyError
from cosec.files import USUAL, why_unreadable, write_atomically

MANIFEST = "manifest.json"
"""File that says what the study computes."""

LOCKS = "locks"
"""Folder of lock files."""

COMPLETIONS = "completions"
"""Kind of records that holds the completions."""

Record = dict[str, Any]
"""One line of a JSONL file."""


_NOTHING: Mapping[str, Collection[Collection[str]]] = {}

_SCALED = re.compile(r"[0-9a-f]{64}\*[0-9a-f]+")
"""Hash of an adapter with unusual scales."""


class StudyFolder:
    """The folder that holds a study's records."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(
        self,
        manifest: Mapping[str, Any],
        growing: Collection[str] = (),
        late: Mapping[str, Collection[Collection[str]]] = _NOTHING,
        *,
        grow: bool = True,
    ) -> None:
        """Create the folder, or check that it holds this study.

        Args:
            manifest: Its ``identity`` holds what must be equal for one run to continue another.
            growing: Names of lists and tables in the identity that may gain entries. New entries are appended to
                those that the folder has.
            late: For names of tables in the identity: groups of entries, all of a group missing until they are needed.
                The folder may gain a group's entries together, and a later run may lack them.
            grow: Whether the folder gains new entries now; without it they are only checked.

        Raises:
            StudyError: If the folder holds another study, or cannot be written.
        """
        file = self.path / MANIFEST
        wanted = json.loads(json.dumps(manifest["identity"]))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._locked("manifest", wait=True):
                if not file.exists():
                    _write_manifest(file, manifest)
                    return
                found = self.manifest()
                had = found["identity"]
                known = {**had, **{name: _with_late(had[name], wanted[name], late[name]) for name in late}}
                wanted |= {name: _with_late(wanted[name], had[name], late[name]) for name in late}
                self._refuse_another(known, wanted, growing)
                grown = {**known, **{name: _grown(had.get(name), wanted[name]) for name in growing}}
                if grow and grown != had:
                    _write_manifest(file, {**found, "identity": grown})
        except OSError as error:
            raise StudyError(f"Cannot write to {self.path}: {error.strerror}.") from error

    def _refuse_another(self, found: Record, wanted: Record, growing: Collection[str]) -> None:
        fixed = sorted({*found, *wanted} - {*growing})
        differing = [one for name in fixed for one in _differences(name, found.get(name), wanted.get(name))]
        for table in growing:  # a table may gain entries, but none may change
            if isinstance(wanted[table], dict):
                had = found.get(table, {})
                both = {key: value for key, value in wanted[table].items() if key in had}
                differing += [one for key in both for one in _differences(f"{table}.{key}", had[key], both[key])]
        for name, its, this in differing:
            raise StudyError(
                f"{self.path} holds another study: its {name} is {_short(its)}, this one's is"
                f" {_short(this)}. Choose another --out, or give the same settings to continue."
            )

    def manifest(self) -> dict[str, Any]:
        """Read the manifest.

        Raises:
            StudyError: If there is none, or it is of something else.
        """
        try:
            found = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # also of bytes that are no UTF-8
            why = f"{MANIFEST}: {why_unreadable(error)}"
            raise StudyError(f"{self.path} holds no study ({why}); name the --out folder of one.") from error
        if not _is_of_a_study(found):
            raise StudyError(
                f"{self.path} holds no study: its {MANIFEST} is of something else; name the --out folder of a study, "
                "or a new folder for one."
            )
        return dict(found)

    def change_manifest(self, change: Callable[[Record], Record]) -> None:
        """Replace the manifest by the result of ``change``, under a lock.

        Raises:
            StudyError: If there is none, or it cannot be written.
        """
        try:
            with self._locked("manifest", wait=True):
                _write_manifest(self.path / MANIFEST, change(self.manifest()))
        except OSError as error:
            raise StudyError(f"Cannot write to {self.path}: {error.strerror}.") from error

    def read(self, kind: str, unit: str) -> list[Record]:
        """The records of a unit so far, without a last line that was cut off."""
        file = self._file(kind, unit)
        return list(_whole_lines(file.read_bytes())) if file.exists() else []

    def count(self, kind: str, unit: str) -> int:
        """Number of records that a unit has so far."""
        file = self._file(kind, unit)
        return file.read_bytes().count(b"\n") if file.exists() else 0

    @contextmanager
    def unit(self, unit: str) -> Iterator[bool]:
        """Hold the lock of a unit within the block; yields False if another process holds it."""
        with self._locked(unit, wait=False) as held:
            yield held

    def append(self, kind: str, unit: str, records: Iterable[Record]) -> None:
        """Append records to a unit whose lock is held, and flush each of them.

        Raises:
            StudyError: If they cannot be written, for example because the disk is full. What was written stays.
        """
        file = self._file(kind, unit)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            _drop_cut_off_line(file)
            with file.open("ab") as stream:
                for record in records:
                    stream.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n")
                    stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StudyError(f"Cannot write {file}: {error.strerror}; free some room and start again.") from error

    def records(self, kind: str) -> Iterator[tuple[str, Record]]:
        """Every record of a kind with the name of its unit, in the order of these names."""
        for file in sorted((self.path / kind).rglob("*.jsonl")):
            unit = file.relative_to(self.path / kind).with_suffix("").as_posix()
            for record in _whole_lines(file.read_bytes()):
                yield unit, record

    def _file(self, kind: str, unit: str) -> Path:
        return self.path / kind / f"{unit}.jsonl"

    @contextmanager
    def _locked(self, name: str, *, wait: bool) -> Iterator[bool]:
        file = self.path / LOCKS / f"{name.replace('/', '~')}.lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def _write_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    write_atomically(file, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", mode=USUAL)


def _is_of_a_study(manifest: object) -> bool:
    """Whether a manifest has what every study's has."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("identity"), dict):
        return False
    return (
        isinstance(manifest.get("name"), str)
        and isinstance(manifest.get("completions_each"), int)
        and isinstance(manifest["identity"].get("models"), dict)
    )


def _differences(name: str, found: Any, wanted: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost values that differ, each with its place, such as ``benchmarks.0.samples``."""
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        found, wanted = dict(enumerate(found)), dict(enumerate(wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**found, **wanted}:
            yield from _differences(f"{name}.{key}", found.get(key), wanted.get(key))
    elif found != wanted and not _is_without_scale(found, wanted):
        yield name, found, wanted


def _is_without_scale(found: Any, wanted: Any) -> bool:
    """Whether a hash was recorded by an earlier release, which left out what follows the star."""
    return isinstance(wanted, str) and _SCALED.fullmatch(wanted) is not None and found == wanted.partition("*")[0]


def _with_late(table: Record, other: Record, late: Collection[Collection[str]]) -> Record:
    """The table with another's entries of each late group of which it has none."""
    gained = {name for group in late if not any(name in table for name in group) for name in group}
    return {**table, **{name: value for name, value in other.items() if name in gained}}


def _grown(found: Any, wanted: Any) -> Any:
    """A list or table with the entries of both; those of ``found`` come first."""
    if isinstance(wanted, dict):
        return {**(found or {}), **wanted}
    return [*found, *(one for one in wanted if one not in found)]


def _whole_lines(data: bytes) -> Iterator[Record]:
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        yield dict(json.loads(line))


def _drop_cut_off_line(file: Path) -> None:
    if not file.exists():
        return
    data = file.read_bytes()
    if data and not data.endswith(b"\n"):
        with file.open("r+b") as stream:
            stream.truncate(data.rfind(b"\n") + 1)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
