"""Refuse models that do not fit into this machine's memory before they are loaded, and name one that does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from cosec.errors import ModelError
from cosec.models.adapters import is_adapter
from cosec.models.loading.checks import read_tensors, weight_files
from cosec.models.loading.embedded import BUNDLED_MODELS, BundledModel
from cosec.models.loading.host_memory import free_memory
from cosec.models.loading.reading import BYTES_PER_VALUE

_REST = 500_000_000
"""Bytes for everything but weights: libraries, key-value caches and scores of a batch."""


def require_memory(models: Mapping[str, Path], *, dtype: str, device_map: str | None) -> None:
    """Check that models fit into the memory that is free; does nothing for models on another device than the CPU.

    Args:
        models: The folder of each model, by the name that messages use.
        dtype: As for ``load_model``.
        device_map: As for ``load_model``.

    Raises:
        ModelError: If they do not fit; the message names what does.
    """
    free = free_memory()
    if device_map not in (None, "cpu") or dtype not in BYTES_PER_VALUE or free is None:
        return
    weights = sum(_parameters(folder) for folder in models.values())
    needed = weights * BYTES_PER_VALUE[dtype] + _REST
    if needed <= free:
        return
    ways = ["close other programs"]
    half = weights * 2 + _REST
    if BYTES_PER_VALUE[dtype] == 4 and half <= free:
        ways.append(f"load them with --dtype bfloat16 ({half / 1e9:.1f} GB)")
    smaller = _largest_that_fits(free, than=weights)
    if smaller is not None:
        ways.append(f"take a smaller model: --target {smaller.name}, or make demo MODEL={smaller.name}")
    raise ModelError(
        f"{' and '.join(models)} need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
        f"{' or '.join(ways) if len(ways) < 3 else ', '.join(ways[:-1]) + ', or ' + ways[-1]}."
    )


def _parameters(folder: Path) -> int:
    """Number of weights in a model folder; 0 for an adapter, whose base is not looked up here."""
    files = [] if is_adapter(folder) else weight_files(folder)
    return sum(math.prod(tensor.shape) for file in files for tensor in read_tensors(file).values())


def _largest_that_fits(free: int, *, than: int) -> BundledModel | None:
    """The largest embedded model that has fewer weights than ``than``, and fits with its security model in float32."""

    def weights(model: BundledModel) -> int:
        return model.parameters + (0 if model.security_base is None else model.security_base.parameters)

    fitting = [one for one in BUNDLED_MODELS.values() if weights(one) < than and 4 * weights(one) + _REST <= free]
    return max(fitting, key=weights, default=None)
