"""Run the same command in several processes that share the work, and let one of them speak.

Each process gets its rank from the environment, as torch.distributed reads it. Ctrl-C reaches all of them; what they do
about it is theirs. Knows nothing about training.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO

ENTRY = "import sys; from cosec.cli.main import main; sys.exit(main())"
"""What the installed program runs."""

GRACE_SECONDS = 10
"""How long the others may go on after one process has failed."""


def inside_a_group() -> bool:
    """Whether this process already is one of several, started here, by torchrun or by ``accelerate launch``."""
    return "WORLD_SIZE" in os.environ


def group_size() -> int:
    """How many processes there are in the group that this one belongs to."""
    return int(os.environ["WORLD_SIZE"])


def run_in_processes(arguments: Sequence[str], count: int) -> int:
    """Run ``cosec ARGUMENTS`` in ``count`` processes and wait for them.

    The first one writes to this terminal. What the others say is shown only when one of them fails while the first
    does not.

    Args:
        arguments: The command line after the program's name.
        count: Number of processes; the processor's cores are divided among them.

    Returns:
        The exit code of the first process, or of one that failed.
    """
    shared = group_environment(count)
    command = [sys.executable, "-c", ENTRY, *arguments]
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
        # Ctrl-C reaches the whole group from the terminal, so this process only waits; SIGTERM has to be passed on.
        previous = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: _send_all(processes, signal.SIGTERM)),
        }
        try:
            _wait(processes)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return _verdict(processes, other_output)


def group_environment(count: int) -> dict[str, str]:
    """What all processes of a new group on this machine read from their environment, beside their ranks."""
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


def _send_all(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until all have ended; once one has failed, the others get a little time and are then killed."""
    failed_at: float | None = None
    while any(process.poll() is None for process in processes):
        time.sleep(0.1)
        if failed_at is None and any(process.poll() for process in processes):
            failed_at = time.monotonic()
        if failed_at is not None and time.monotonic() - failed_at > GRACE_SECONDS:
            _send_all(processes, signal.SIGKILL)


def _verdict(processes: Sequence[subprocess.Popen[bytes]], other_output: IO[bytes]) -> int:
    first, *others = [process.wait() for process in processes]
    if first == 0 and any(others):
        other_output.seek(0)
        sys.stderr.write(other_output.read().decode(errors="replace"))
    return first or next((code for code in others if code), 0)
