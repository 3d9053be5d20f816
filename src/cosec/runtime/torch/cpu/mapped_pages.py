"""Release the memory of weights that were read from a mapped file and are not needed for now.

Loading maps safetensors files into memory. Every weight that was read stays resident, a second copy beside the packed
one. Dropping the pages of a file mapping loses nothing: the next read brings them back from the file. Linux only;
elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

from torch import Tensor

_DROP = getattr(mmap, "MADV_DONTNEED", None)


def mapped_ranges(suffix: str = ".safetensors") -> list[tuple[int, int]]:
    """Address ranges (start, end) that this process maps from files whose names end with a suffix.

    Empty where the system has no ``/proc``.
    """
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    spans = [line.split()[0].split("-") for line in lines if line.endswith(suffix)]
    return [(int(start, 16), int(end, 16)) for start, end in spans]


def drop_pages(tensor: Tensor, ranges: list[tuple[int, int]]) -> None:
    """Release the whole pages of a tensor's memory, if they are mapped from a file.

    Args:
        tensor: Its values stay readable.
        ranges: Result of ``mapped_ranges``.
    """
    page = mmap.PAGESIZE
    start = -(-tensor.data_ptr() // page) * page
    end = (tensor.data_ptr() + tensor.nbytes) // page * page
    inside = any(low <= start and end <= high for low, high in ranges)
    if _DROP is not None and inside and end > start:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(_DROP))
