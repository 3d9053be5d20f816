"""Run commands in processes of their own: one alone, or the same in several that share the work.

Of several processes the first one writes to the terminal, and each gets its rank from the environment, as
torch.distributed reads it. Ctrl-C reaches all of them, and each handles it itself. Knows nothing about training.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from cosec.cli.main import EXIT_INTERRUPTED
from cosec.errors import SettingsError

ENTRY = "import sys; from cosec.cli.main import main; sys.exit(main())"
"""The program that each process runs: the same as the installed ``cosec``."""

GRACE_SECONDS = 10
"""Time that the other processes have after one has failed, in seconds."""


def inside_a_group() -> bool:
    """Whether this process is one of several already, started here, by torchrun or by ``accelerate launch``."""
    return "WORLD_SIZE" in os.environ


def group_size() -> int:
    """Number of processes in this process's group."""
    return int(os.environ["WORLD_SIZE"])


def is_first() -> bool:
    """Whether this is the process of its group that writes to the terminal."""
    return os.environ.get("RANK", "0") == "0"


def share_among(processes: int, batch_size: int, *, run: bool = True) -> int:
    """Continue in several processes, if that many are wanted: start them and exit with their exit code.

    Args:
        processes: Number of processes that share each batch.
        batch_size: Examples in a batch.
        run: Whether to start processes at all.

    Returns:
        The number of processes that share the work; with ``run`` off, that would share it.

    Raises:
        SettingsError: If there are more processes than examples in a batch.
    """
    if not 1 <= processes <= batch_size:
        raise SettingsError(f"--processes must be between 1 and --batch-size ({batch_size}); found {processes}.")
    if inside_a_group():
        return group_size()
    if processes > 1 and run:
        sys.exit(run_in_processes(sys.argv[1:], processes))
    return processes


def run_alone(arguments: Sequence[str]) -> int:
    """Run ``cosec ARGUMENTS`` in a process of its own and wait for it; Ctrl-C and SIGTERM leave it time to save.

    Args:
        arguments: The command line after the program's name.

    Returns:
        Its exit code, negative if a signal ended it; 130 if it ended well although it was told to stop.
    """
    process = subprocess.Popen(cosec_command(arguments))
    with _signals_left_to([process]) as arrived:
        code = process.wait()
    return EXIT_INTERRUPTED if arrived and not code else code


def run_in_processes(arguments: Sequence[str], count: int) -> int:
    """Run ``cosec ARGUMENTS`` in ``count`` processes and wait for them.

    The first one writes to this terminal. The output of the others is shown only if one of them fails before the first
    does, or at the same time.

    Args:
        arguments: The command line after the program's name.
        count: Number of processes; the processor's cores are divided among them.

    Returns:
        The exit code of a process that failed before the others did; 0 if none failed.
    """
    shared = group_environment(count)
    command = cosec_command(arguments)
    with tempfile.TemporaryFile() as other_output:
        processes = [
            subprocess.Popen(
                command,
                env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=None if rank == 0 else other_output,
                stderr=None if rank == 0 else other_output,
            )
            for rank in range(count)
        ]
        with _signals_left_to(processes) as arrived:
            failed = _wait(processes)
        if any(failed) and not arrived:
            other_output.seek(0)
            sys.stderr.write(other_output.read().decode(errors="replace"))
        return processes[failed[0]].wait() if failed else 0


def cosec_command(arguments: Sequence[str]) -> list[str]:
    """The command that runs ``cosec ARGUMENTS`` with this Python."""
    # -P: modules of the working folder must not be imported.
    return [sys.executable, "-P", "-c", ENTRY, *arguments]


def group_environment(count: int) -> dict[str, str]:
    """Environment variables that all processes of a new group on this machine share."""
    threads = str(max((os.cpu_count() or 1) // count, 1))
    shared = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
    }
    if "lo" in {name for _, name in socket.if_nameindex()}:
        # Otherwise gloo looks this machine's name up, which fails where nobody serves names.
        shared["GLOO_SOCKET_IFNAME"] = "lo"
    return shared


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _signals_left_to(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[Sequence[int]]:
    """Leave Ctrl-C and SIGTERM to processes within the block.

    Ctrl-C reaches the whole group from the terminal; SIGTERM has to be passed on.

    Yields:
        The signals that have arrived.
    """
    arrived: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        arrived.append(number)
        if number == signal.SIGTERM:
            _send_all(processes, number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield arrived
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _send_all(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Wait until all have ended; once one has failed, the others get a little time and are then killed.

    Returns:
        Places of the processes that failed before any other did: several if they failed at about the same time.
    """
    failed: list[int] = []
    failed_at = 0.0
    while True:
        going_on = any(process.poll() is None for process in processes)
        if not failed:
            failed = [place for place, process in enumerate(processes) if process.poll()]
            failed_at = time.monotonic()
        if not going_on:
            return failed
        if failed and time.monotonic() - failed_at > GRACE_SECONDS:
            _send_all(processes, signal.SIGKILL)
        time.sleep(0.1)
