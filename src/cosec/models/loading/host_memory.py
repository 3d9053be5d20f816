"""How this process takes memory from Linux: kept rather than given back.

A decoding step over 25 rows makes tens of megabytes of logits and frees them again. glibc by default maps such blocks
afresh and returns them at once, so that every step pays for zeroed pages. oneDNN compiles a program for every number of
rows it meets and keeps a thousand of them, which a server reaches after hours. Nothing here changes a result.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""
_LARGEST_KEPT = 32 * 2**20
"""Blocks up to this size come from kept memory; the most that glibc allows."""
_MOST_KEPT = 128 * 2**20
"""Free memory at the end of the heap beyond this is given back."""
_PROGRAMS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "256"}
"""How many compiled programs oneDNN, and torch's layer above it, keep: enough for some fifty row counts, at up to
0.6 MB a program."""


@cache
def suit_memory_to_decoding() -> bool:
    """Keep freed blocks and fewer programs; once a process, before its first product.

    Settings of the environment (``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``) come first.

    Returns:
        Whether freed blocks are kept; False where the C library is not glibc or was told otherwise.
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
    """Return to the system what was freed and kept, wherever it lies; what is needed again costs its pages anew.

    Kept blocks of ever other sizes leave gaps that nothing fits into, so a process that decodes for days calls this now
    and then. Does nothing where the C library is not glibc.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
