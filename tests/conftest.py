"""Shapes in jaxtyping annotations are checked in every test.

The engine and the trace are left out: a check per emitted token would make the statistical tests ten times slower.
"""

import os

# Tiny models gain nothing from threads, and threads that wait for each other crawl on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

_CHECKED = ["drafting", "lanes", "randomness", "sampling", "verification"]

install_import_hook([f"cosec.decoding.{module}" for module in _CHECKED], "beartype.beartype")
