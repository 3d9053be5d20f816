"""A quicker start: imports and loading make hundreds of thousands of objects, nearly all of which stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Keep Python's cyclic garbage collector off inside the block, unless it was off before.

    What exists after the block is left out of later collections.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()
