"""Shapes in jaxtyping annotations are checked in every test.

The engine and the trace are left out: a check per emitted token would make the statistical tests ten times slower.
"""

from jaxtyping import install_import_hook

_CHECKED = ["drafting", "lanes", "randomness", "sampling", "verification"]

install_import_hook([f"cosec.decoding.{module}" for module in _CHECKED], "beartype.beartype")
