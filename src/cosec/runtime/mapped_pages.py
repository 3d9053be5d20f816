"""Release the memory of weights that were read from a mapped file and are not needed for now.

Loading maps files of weights into memory. Every weight that was read stays resident, a second copy beside one that was
rearranged. Dropping the pages of a file mapping loses nothing: the next read brings them back from the file. Linux
only; elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    if end > start and any(low <= start and end <= high for low, high in ranges):
        _drop(start, end)


def drop_file(file: Path) -> None:
    """Release all pages that are mapped from a file; those that are still needed come back when they are read.

    Args:
        file: A file that is mapped for reading only.
    """
    for start, end in mapped_ranges(str(file.resolve())):
        _drop(start, end)


def _drop(start: int, end: int) -> None:
    if _DROP is not None:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(_DROP))
