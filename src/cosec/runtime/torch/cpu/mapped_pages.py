"""Hand back the memory of weights that were read from a mapped file and are not needed for now.

Loading maps safetensors files; every weight that was touched once stays resident, a second copy beside the packed
one. Dropping the pages of a file mapping loses nothing: whoever reads them again gets them from the file. Linux only;
elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

from torch import Tensor

_DROP = getattr(mmap, "MADV_DONTNEED", None)


def mapped_ranges(suffix: str = ".safetensors") -> list[tuple[int, int]]:
    """Address ranges (start, end) of this process that are mapped from files with this suffix."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    spans = [line.split()[0].split("-") for line in lines if line.endswith(suffix)]
    return [(int(start, 16), int(end, 16)) for start, end in spans]


def drop_pages(tensor: Tensor, ranges: list[tuple[int, int]]) -> None:
    """Let go of the whole pages under ``tensor`` if they are mapped from a file."""
    page = mmap.PAGESIZE
    start = -(-tensor.data_ptr() // page) * page
    end = (tensor.data_ptr() + tensor.nbytes) // page * page
    inside = any(low <= start and end <= high for low, high in ranges)
    if _DROP is not None and inside and end > start:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(_DROP))
