"""The backends that isolate a program: bubblewrap, or resource limits alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Protocol, Self

from cosec.errors import SandboxError
from cosec.sandbox.limits import Limits, Outcome
from cosec.sandbox.process import run_limited

_WORK_FOLDER = "/tmp/box"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")
_DEBUG_FILES = Path("/usr/lib/debug")
"""Debug information of the system's libraries, which programs in the sandbox do without."""
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
_PROBE_SECONDS = 20.0
_START = 'command -v "$2" > /dev/null && echo >> "/proc/self/fd/$1"; shift; exec "$@"'
"""Says through an open file descriptor that everything before the program has started, then starts the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to run, with its input and its limits."""

    command: Sequence[str]
    """Program and arguments. Relative names are looked up in the working folder."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the working folder contains at the start: relative name → content."""

    stdin: bytes = b""

    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables in addition to PATH, HOME and LANG."""

    limits: Limits = field(default_factory=Limits)

    read_only: Sequence[Path] = ()
    """Files and folders outside the system folders that it may read, under their own paths."""

    work_folder: Path | None = None
    """An existing folder to start in, which keeps what the program writes; None for a temporary one."""


class Backend(Protocol):
    """A way to isolate programs."""

    @property
    def name(self) -> str:
        """The name that ``--sandbox`` takes."""
        ...

    def problem(self) -> str | None:
        """Why it cannot be used on this machine; None if it can."""
        ...

    def run(self, program: Program) -> Outcome:
        """Run a program and wait until it ends.

        Raises:
            SandboxError: If the program cannot be started.
        """
        ...


class Bubblewrap:
    """Isolation by bubblewrap (``bwrap``): namespaces, a read-only system, and size-limited temporary folders."""

    name = "bubblewrap"

    def problem(self) -> str | None:
        """See `Backend`."""
        return _bubblewrap_problem()

    def run(self, program: Program) -> Outcome:
        """See `Backend`."""
        if program.work_folder is not None:
            _write_files(program.work_folder, program.files)
        with ExitStack() as opened:
            copies = (
                {}
                if program.work_folder is not None
                else {name: opened.enter_context(_memory_file(content)) for name, content in program.files.items()}
            )
            started = opened.enter_context(_StartSignal())
            prefix = [*_isolation(program, copies), "--", *_limits_command(program.limits), *started.command]
            env = {"PATH": os.environ.get("PATH", "")}
            descriptors = (*copies.values(), started.descriptor)
            command = [*prefix, *program.command]
            outcome = run_limited(command, program.stdin, env, Path("/"), program.limits, descriptors)
            return started.checked(outcome, program)


class LimitsOnly:
    """No isolation: an ordinary subprocess with resource limits, in a folder of its own."""

    name = "limits"

    def problem(self) -> str | None:
        """See `Backend`."""
        return None

    def run(self, program: Program) -> Outcome:
        """See `Backend`."""
        # Nothing else ends the program if this process is killed.
        prefix = [_tool("setpriv"), "--pdeathsig", "KILL", "--"]
        prefix += _limits_command(program.limits, beside=_tasks_of_this_user())
        with tempfile.TemporaryDirectory(prefix="cosec-box-") as temporary, _StartSignal() as started:
            folder = program.work_folder or Path(temporary)
            _write_files(folder, program.files)
            env = {**_ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder), **program.env}
            command = [*prefix, *started.command, *program.command]
            outcome = run_limited(command, program.stdin, env, folder, program.limits, (started.descriptor,))
            return started.checked(outcome, program)


class _StartSignal:
    """A file in memory in which a sandbox says that it has started its program.

    Without it, a failure of the sandbox itself would look like the program's own exit status and output. The program
    inherits the file and cannot make it empty again.
    """

    def __enter__(self) -> Self:
        self.descriptor = os.memfd_create("cosec-started", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    @property
    def command(self) -> list[str]:
        """The prefix of the program's command, inside the sandbox."""
        return ["/bin/sh", "-c", _START, "sh", str(self.descriptor)]

    def checked(self, outcome: Outcome, program: Program) -> Outcome:
        """The outcome of a program that was started, or that was ended by a limit before.

        Raises:
            SandboxError: If the program was not started.
        """
        if os.fstat(self.descriptor).st_size or outcome.timed_out or outcome.truncated:
            return outcome
        said = outcome.stderr.decode(errors="replace").strip().splitlines()
        raise SandboxError(
            f"{program.command[0]!r} could not be started in the sandbox ({said[-1] if said else 'not found'}); see"
            " that the sandbox finds it (in /usr/bin or /usr/local/bin), and that memory and processes are free."
        )


@cache
def _bubblewrap_problem() -> str | None:
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed"
    probe = [program, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except OSError as error:
        return f"bubblewrap cannot be started ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"bubblewrap did not end within {_PROBE_SECONDS:.0f} s"
    return None if done.returncode == 0 else f"bubblewrap fails on this machine ({' '.join(done.stderr.split())[:200]})"


@cache
def _tool(name: str) -> str:
    """Path of a program of util-linux."""
    program = shutil.which(name)
    if program is None:
        raise SandboxError(f"{name} is not installed, so programs cannot be run; install the package util-linux.")
    return program


def _tasks_of_this_user() -> int:
    """Number of processes and threads of this user, which count as those of the program outside a namespace."""
    user, found = os.getuid(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == user:
                found += sum(1 for _ in (folder / "task").iterdir())
        except OSError:  # it has ended
            continue
    return found


def _limits_command(limits: Limits, *, beside: int = 0) -> list[str]:
    """The program that sets the limits; ``beside`` other processes count as those of the program."""
    address_space = [f"--as={limits.memory_bytes}"] if limits.limit_address_space else []
    return [
        _tool("prlimit"),
        f"--cpu={limits.cpu_seconds}",
        f"--fsize={limits.file_bytes}",
        f"--nproc={limits.processes + beside}",
        "--core=0",
        f"--nofile={limits.open_files}",
        *address_space,
        "--",
    ]


def _isolation(program: Program, copies: Mapping[str, int]) -> list[str]:
    """The options of bubblewrap; the root is made read-only last, when all mount points exist."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name, value in {**_ENVIRONMENT, **program.env}.items():
        command += ["--setenv", name, value]
    for place in _SYSTEM:
        # On merged systems /bin and others are links into /usr.
        link = Path(place).is_symlink()
        command += ["--symlink", str(Path(place).readlink()), place] if link else ["--ro-bind-try", place, place]
    if _DEBUG_FILES.is_dir():  # reports of sanitizers take four times as long where they read them
        command += ["--tmpfs", str(_DEBUG_FILES), "--remount-ro", str(_DEBUG_FILES)]
    size = str(program.limits.file_bytes)
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--size", size, "--tmpfs", "/dev/shm", "--size", size, "--tmpfs", "/tmp"]
    readable = [Path(sys.base_prefix), *program.read_only]
    # Links are not resolved in commands, and what they lead to may name itself by its own path.
    for path in dict.fromkeys(one for given in readable for one in (given.resolve(), given.absolute())):
        if Path(_WORK_FOLDER).is_relative_to(path):
            raise SandboxError(
                f"{path} cannot be made readable in the sandbox; put the files into a folder of their own."
            )
        if not path.is_relative_to("/usr"):
            command += ["--ro-bind", str(path.resolve()), str(path)]
    if program.work_folder is not None:
        command += ["--bind", str(program.work_folder), _WORK_FOLDER]
    else:
        command += _copied_in(copies)
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _WORK_FOLDER]


def _copied_in(copies: Mapping[str, int]) -> list[str]:
    """Options that make the working folder from open files."""
    command = ["--dir", _WORK_FOLDER]
    for folder in dict.fromkeys(parent for name in copies for parent in reversed(PurePosixPath(name).parents[:-1])):
        command += ["--dir", f"{_WORK_FOLDER}/{folder}"]
    for name, descriptor in copies.items():
        command += ["--file", str(descriptor), f"{_WORK_FOLDER}/{name}"]
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


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
