"""Start a program, feed it, collect its output, and kill it when it exceeds its wall time or its output limit."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cosec.errors import SandboxError
from cosec.sandbox.control_groups import control_groups, kill_members
from cosec.sandbox.limits import Limits, Outcome

_JOIN = 'for group in $COSEC_GROUPS; do echo $$ > "$group/cgroup.procs"; done; unset COSEC_GROUPS; exec "$@"'
_CHUNK = 1 << 16


def run_limited(
    command: Sequence[str],
    stdin: bytes,
    env: Mapping[str, str],
    folder: Path,
    limits: Limits,
    descriptors: tuple[int, ...] = (),
) -> Outcome:
    """Run ``command`` and wait until it ends, at most ``limits.wall_seconds``. All its processes end with it.

    Args:
        command: The program, with the prefix that isolates it.
        stdin: Standard input of the program.
        env: Its whole environment.
        folder: Its working folder.
        limits: Wall time and output are enforced here, memory and process count by control groups where possible.
        descriptors: Open file descriptors that it inherits.

    Returns:
        How the program ended.

    Raises:
        SandboxError: If the program cannot be started.
    """
    started = time.perf_counter()
    with control_groups(limits) as groups:
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
            # Processes that the program left behind are killed also after a normal end.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kill_members(groups)
    killed = timed_out or truncated
    return Outcome(
        returncode=None if killed else process.returncode,
        stdout=stdout,
        stderr=stderr,
        timed_out=timed_out,
        truncated=truncated,
        seconds=time.perf_counter() - started,
    )


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, started: float, limits: Limits
) -> tuple[bytes, bytes, bool, bool]:
    """Feed and read until the program ends; returns both outputs, whether it timed out, whether it wrote too much."""
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
    """Wait for a program that closed its outputs; returns whether it ends in time."""
    try:
        process.wait(timeout=max(0.0, started + limits.wall_seconds - time.perf_counter()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _fed(process: subprocess.Popen[bytes], rest: memoryview) -> memoryview:
    """Write as much input as fits; returns the rest, which is empty if the program no longer reads."""
    assert process.stdin is not None
    try:
        return rest[os.write(process.stdin.fileno(), rest[:_CHUNK]) :] if rest else rest
    except (BrokenPipeError, ConnectionResetError):
        return rest[:0]
