"""Control groups that bound the memory and the process count of a program as a whole.

They need version 1 controllers and write access to them, which usually means root. Elsewhere only the resource limits
of each process apply.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cosec.sandbox.limits import Limits

_OWN_PROCESSES = 4
"""Processes of the sandbox itself, which count towards the group."""


@contextmanager
def control_groups(limits: Limits) -> Iterator[list[Path]]:
    """Create the groups for one program, and remove them at the end of the block.

    Args:
        limits: ``processes`` and ``memory_bytes`` are applied.

    Yields:
        The folders of the groups; empty where none can be created.
    """
    created: list[Path] = []
    for controller, entry, value in (
        ("pids", "pids.max", limits.processes + _OWN_PROCESSES),
        ("memory", "memory.limit_in_bytes", limits.memory_bytes),
    ):
        parent = _parent_group(controller)
        if parent is None:
            continue
        group = parent / f"cosec-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        try:
            group.mkdir()
            created.append(group)
            (group / entry).write_text(str(value))
        except OSError:
            continue
    try:
        yield created
    finally:
        for group in created:
            _remove(group)


def kill_members(groups: Sequence[Path]) -> None:
    """Kill every process that is left in the groups, daemons included."""
    for group in groups:
        for _ in range(100):
            members = _members(group)
            if not members:
                break
            for member in members:
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            time.sleep(0.005)


def _parent_group(controller: str) -> Path | None:
    """The group of this process under a version 1 controller; None if there is none that it may divide."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            group = Path("/sys/fs/cgroup") / controller / path.lstrip("/")
            return group if os.access(group, os.W_OK) and (group / "cgroup.procs").exists() else None
    return None


def _members(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _remove(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:  # its last process has not ended yet
            time.sleep(0.005)
