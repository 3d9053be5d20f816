"""Start a program, feed it, and end it with everything it started where it exceeds its time or its output.

Control groups bound the memory and the number of processes of the program as a whole where this process may make
them (as root, cgroup v1); elsewhere the resource limits of the sandbox stand alone.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cosec.errors import SandboxError

_JOIN = 'for group in $COSEC_GROUPS; do echo $$ > "$group/cgroup.procs"; done; unset COSEC_GROUPS; exec "$@"'
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use."""

    cpu_seconds: int = 10
    """Processor time of each process."""

    wall_seconds: float = 10.0
    """Time from start to the kill."""

    memory_bytes: int = 1 << 30
    """Memory of the whole program where a control group can be made, else address space of each process."""

    limit_address_space: bool = True
    """False for programs that reserve far more than they use, such as those under AddressSanitizer."""

    processes: int = 64
    """Processes and threads at once."""

    file_bytes: int = 64 << 20
    """Size of any one file, and of all files below ``/tmp`` together."""

    output_bytes: int = 1 << 20
    """Standard output and error together; what goes beyond it ends the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a program ended."""

    returncode: int | None
    """Exit status, negative for a signal; None where a limit of this module ended it."""

    stdout: bytes
    stderr: bytes

    timed_out: bool
    """Whether the wall time ended it."""

    truncated: bool
    """Whether its output was cut and it was ended for it."""

    seconds: float
    """Wall time."""


def run_limited(
    command: Sequence[str],
    stdin: bytes,
    env: Mapping[str, str],
    folder: Path,
    limits: Limits,
    descriptors: tuple[int, ...] = (),
) -> Outcome:
    """Run ``command`` in ``folder`` and wait for its end, at most ``limits.wall_seconds``.

    Args:
        command: The program with everything that isolates it.
        stdin: What it reads.
        env: Its whole environment.
        folder: Where it starts.
        limits: Wall time and output are held here, memory and processes in control groups where possible.
        descriptors: Open files to hand on.

    Raises:
        SandboxError: If it cannot be started.
    """
    started = time.perf_counter()
    with _control_groups(limits) as groups:
        full = ["/bin/sh", "-c", _JOIN, "sh", *command]
        try:
            process = subprocess.Popen(
                full,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**env, "COSEC_GROUPS": " ".join(map(str, groups))},
                cwd=folder,
                start_new_session=True,
                pass_fds=descriptors,
            )
        except OSError as error:
            raise SandboxError(f"Cannot start {command[0]!r}: {error.strerror}.") from error
        try:
            stdout, stderr, timed_out, truncated = _communicate(process, stdin, started, limits)
        finally:
            # Also after a normal end: what the program left behind ends with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _kill_groups(groups)
    ended_here = timed_out or truncated
    return Outcome(
        returncode=None if ended_here else process.returncode,
        stdout=stdout,
        stderr=stderr,
        timed_out=timed_out,
        truncated=truncated,
        seconds=time.perf_counter() - started,
    )


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, started: float, limits: Limits
) -> tuple[bytes, bytes, bool, bool]:
    """Feed and read until the program ends; whether the time or the output ran out."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    output = {process.stdout: bytearray(), process.stderr: bytearray()}
    rest = memoryview(stdin)
    with selectors.DefaultSelector() as ready, process.stdin, process.stdout, process.stderr:
        for stream in output:
            ready.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        ready.register(process.stdin, selectors.EVENT_WRITE)
        while set(output) & {key.fileobj for key in ready.get_map().values()}:
            left = started + limits.wall_seconds - time.perf_counter()
            if left <= 0:
                return bytes(output[process.stdout]), bytes(output[process.stderr]), True, False
            for key, _ in ready.select(min(left, 0.5)):
                if key.fileobj is process.stdin:
                    rest = _fed(process, rest)
                    if not rest:
                        ready.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    ready.unregister(key.fileobj)
                    continue
                output[key.fileobj] += chunk  # type: ignore[index] # one of the two streams
                if sum(map(len, output.values())) > limits.output_bytes:
                    kept = [bytes(text[: limits.output_bytes]) for text in output.values()]
                    return kept[0], kept[1], False, True
            if process.poll() is not None and not ready.select(0):
                break  # a daemon may hold the pipes open
    timed_out = not _ends(process, started, limits)
    return bytes(output[process.stdout]), bytes(output[process.stderr]), timed_out, False


def _ends(process: subprocess.Popen[bytes], started: float, limits: Limits) -> bool:
    """Wait for a program that closed its output; whether it ends in time."""
    try:
        process.wait(timeout=max(0.0, started + limits.wall_seconds - time.perf_counter()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _fed(process: subprocess.Popen[bytes], rest: memoryview) -> memoryview:
    """Write what fits; what is left, nothing where the program no longer reads."""
    assert process.stdin is not None
    try:
        return rest[os.write(process.stdin.fileno(), rest[:_CHUNK]) :] if rest else rest
    except (BrokenPipeError, ConnectionResetError):
        return rest[:0]


@contextmanager
def _control_groups(limits: Limits) -> Iterator[list[Path]]:
    """Groups that bound the program's processes and memory; none where they cannot be made."""
    made: list[Path] = []
    for controller, entry, value in (
        ("pids", "pids.max", limits.processes + 4),  # the isolation's own
        ("memory", "memory.limit_in_bytes", limits.memory_bytes),
    ):
        group = _parent_group(controller)
        if group is None:
            continue
        place = group / f"cosec-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        try:
            place.mkdir()
            made.append(place)
            (place / entry).write_text(str(value))
        except OSError:
            continue
    try:
        yield made
    finally:
        for place in made:
            _remove_group(place)


def _parent_group(controller: str) -> Path | None:
    """This process's own group of a version 1 controller; None where there is none that it may divide."""
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


def _kill_groups(groups: Sequence[Path]) -> None:
    """End what is left in the groups, daemons included."""
    for group in groups:
        for _ in range(100):
            members = _members(group)
            if not members:
                break
            for member in members:
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            time.sleep(0.005)


def _members(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _remove_group(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:  # its last process is still going
            time.sleep(0.005)
