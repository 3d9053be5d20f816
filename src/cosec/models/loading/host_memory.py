"""Settings of the C library and of oneDNN for this process's memory; none of them changes a result.

A decoding step over 25 rows allocates and frees tens of megabytes of logits. By default glibc maps such blocks anew and
returns them at once, so every step pays for zeroed pages. oneDNN compiles a program for every number of rows it meets
and keeps a thousand of them, which a server reaches after hours.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""
_LARGEST_KEPT = 32 * 2**20
"""Blocks up to this many bytes are reused; glibc allows no more."""
_MOST_KEPT = 128 * 2**20
"""Free bytes at the end of the heap that are kept; glibc returns what exceeds them."""
_CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Folder of this process's control group, inside a container."""
_PROGRAMS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "256"}
"""Number of compiled programs that oneDNN, and torch's layer above it, keep: enough for about fifty row counts. A
program takes up to 0.6 MB."""


@cache
def suit_memory_to_decoding() -> bool:
    """Keep freed blocks for reuse, and fewer compiled programs.

    Takes effect once per process, before its first matrix product. Environment variables that are already set
    (``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_``, ``GLIBC_TUNABLES``) have priority.

    Returns:
        Whether freed blocks are kept; False where the C library is not glibc, or the environment configures it.
    """
    for name, count in _PROGRAMS.items():  # read by oneDNN and torch at their first product
        os.environ.setdefault(name, count)
    if {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"} & os.environ.keys():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_TRIM_THRESHOLD, _MOST_KEPT))


def give_back_free_memory() -> None:
    """Return all freed memory to the system; memory that is needed again costs new page faults.

    Blocks of changing sizes fragment the heap, so a process that decodes for days calls this from time to time. Does
    nothing where the C library is not glibc.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def free_memory() -> int | None:
    """Bytes that this process can still take: free memory and swap of the machine, or what its container leaves.

    Returns:
        The number, or None where the system does not tell (only Linux does).
    """
    try:
        entries = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        free = sum(int(entries[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None
    with suppress(OSError, KeyError, ValueError):  # no container, or none with a limit
        limit = int((_CONTROL_GROUP / "memory.max").read_text(encoding="ascii"))
        used = dict(line.split() for line in (_CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        free = min(free, limit - int(used["anon"]))
    return free
