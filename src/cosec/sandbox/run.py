"""Run generated programs, which are untrusted, where they can do little harm.

With bubblewrap (``bwrap``) a program sees a read-only system (``/usr`` and the Python it may need), a private ``/tmp``
of limited size that is gone afterwards, no network, no other process, an empty environment and an empty home. Limits
on processor time, wall time, memory, processes, file size and output end it; everything it started ends with it.

What is *not* covered:

- The kernel: a program that exploits it is out. Use a virtual machine where that matters.
- Reading what is world-readable below ``/usr``, and what a caller names in ``read_only``.
- Processes and memory are limited for the program as a whole only where a control group can be made (as root, cgroup
  v1); elsewhere by resource limits: the process count is the kernel's per user, and memory is counted per process.
  As root without control groups nothing bounds the number of processes but the wall time.
- The processor's side channels, and how long a program keeps both cores busy within its limits.

Without bubblewrap a program runs as an ordinary subprocess under resource limits, in a folder of its own:
``isolation_kind()`` says ``subprocess``. It can then read and write what the user can, use the network and send
signals to the user's processes, and a process that leaves its session outlives it. Use it on code you trust only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from cosec.errors import SandboxError
from cosec.sandbox.limits import Limits, Outcome, run_limited

_BOX = "/tmp/box"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}


def isolation_kind() -> Literal["bubblewrap", "subprocess"]:
    """What programs are isolated by on this machine."""
    return "bubblewrap" if _bubblewrap() else "subprocess"


def run_sandboxed(
    command: Sequence[str],
    *,
    files: Mapping[str, bytes | str] | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    read_only: Sequence[Path] = (),
    work_folder: Path | None = None,
) -> Outcome:
    """Run a program in isolation and wait for its end.

    Args:
        command: The program and its arguments; relative names are looked up in the folder it starts in.
        files: Written into that folder first: relative name → content.
        stdin: What it reads.
        env: Environment variables beside PATH, HOME and LANG.
        limits: What it may use.
        read_only: Files and folders outside the system that it may read, at their own place.
        work_folder: An existing folder to start in and to keep what it writes; a private one where None.

    Raises:
        SandboxError: If the program cannot be started at all.
    """
    chosen, given = limits or Limits(), _encoded(files or {})
    limited = [*_limits_command(chosen), *command]
    environment = {**_ENVIRONMENT, **(env or {})}
    if _bubblewrap() is None:
        with tempfile.TemporaryDirectory(prefix="cosec-box-") as scratch:
            folder = work_folder or Path(scratch)
            _write_files(folder, given)
            environment = {**environment, "HOME": str(folder), "TMPDIR": str(folder)}
            return run_limited(limited, stdin, environment, folder, chosen)
    if work_folder is not None:
        _write_files(work_folder, given)
    with ExitStack() as opened:
        copies = (
            {}
            if work_folder is not None
            else {name: opened.enter_context(_memory_file(content)) for name, content in given.items()}
        )
        isolation = _isolation(environment, chosen, read_only)
        isolation += ["--bind", str(work_folder), _BOX] if work_folder is not None else _copied_in(copies)
        full = [*isolation, "--chdir", _BOX, "--", *limited]
        return run_limited(full, stdin, {"PATH": os.environ.get("PATH", "")}, Path("/"), chosen, tuple(copies.values()))


@cache
def _bubblewrap() -> str | None:
    """The path of a bubblewrap that works here."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    test = [program, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        works = subprocess.run(test, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if works else None


@cache
def _prlimit() -> str:
    program = shutil.which("prlimit")
    if program is None:
        raise SandboxError("There is no prlimit here (package util-linux, Linux only): generated programs are not run.")
    return program


def _limits_command(limits: Limits) -> list[str]:
    address_space = [f"--as={limits.memory_bytes}"] if limits.limit_address_space else []
    return [
        _prlimit(),
        f"--cpu={limits.cpu_seconds}",
        f"--fsize={limits.file_bytes}",
        f"--nproc={limits.processes}",
        "--core=0",
        "--nofile=256",
        *address_space,
        "--",
    ]


def _isolation(env: Mapping[str, str], limits: Limits, read_only: Sequence[Path]) -> list[str]:
    """The start of bubblewrap's command line; the program's folder, the limits and the program follow."""
    program = _bubblewrap()
    assert program is not None
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name, value in env.items():
        command += ["--setenv", name, value]
    for place in _SYSTEM:
        # /bin and others are links into /usr on merged systems.
        link = Path(place).is_symlink()
        command += ["--symlink", str(Path(place).readlink()), place] if link else ["--ro-bind-try", place, place]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(limits.file_bytes), "--tmpfs", "/tmp"]
    for path in dict.fromkeys([Path(sys.base_prefix).resolve(), *(path.resolve() for path in read_only)]):
        if not path.is_relative_to("/usr"):
            command += ["--ro-bind", str(path), str(path)]
    return command


def _copied_in(copies: Mapping[str, int]) -> list[str]:
    """Arguments that make the program's folder from open files."""
    command = ["--dir", _BOX]
    for folder in dict.fromkeys(parent for name in copies for parent in reversed(PurePosixPath(name).parents[:-1])):
        command += ["--dir", f"{_BOX}/{folder}"]
    for name, descriptor in copies.items():
        command += ["--file", str(descriptor), f"{_BOX}/{name}"]
    return command


@contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("cosec")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _encoded(files: Mapping[str, bytes | str]) -> dict[str, bytes]:
    for name in files:
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise SandboxError(f"The file {name!r} would lie outside the sandbox; give a relative name.")
    return {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
