"""The limits that a program runs under, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resources that a program may use."""

    cpu_seconds: int = 10
    """CPU time of each process, in seconds."""

    wall_seconds: float = 10.0
    """Seconds from the start until the program is killed."""

    memory_bytes: int = 1 << 30
    """Memory of the whole program where a control group can be created, else address space of each process."""

    limit_address_space: bool = True
    """False for programs that reserve far more memory than they use, such as those under AddressSanitizer."""

    processes: int = 64
    """Processes and threads at the same time."""

    open_files: int = 256
    """Open file descriptors of each process."""

    file_bytes: int = 64 << 20
    """Size of each file. Under bubblewrap also the total size of ``/tmp``, and of ``/dev/shm``."""

    output_bytes: int = 1 << 20
    """Standard output and standard error together. A program that writes more is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a program ended."""

    returncode: int | None
    """Exit status; None if the program was killed for its wall time or its output.

    If a signal ended the program, 128 plus the signal's number under bubblewrap, and the negative number otherwise.
    """

    stdout: bytes
    stderr: bytes

    timed_out: bool
    """Whether the program was killed because its wall time ran out."""

    truncated: bool
    """Whether the program was killed because it wrote too much; the output is cut at the limit."""

    seconds: float
    """Wall time."""
