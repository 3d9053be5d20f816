"""Prefixes: read a folder of peft's prefix tuning, and split it into the keys and values of each layer.

A prefix is the keys and values of a few virtual tokens, which every sequence begins with. The model's weights stay as
they are. ``TorchTokenModel`` starts its cache with them, so positions of real tokens count from the prefix's length on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.errors import AdapterError, ModelError
from cosec.models.adapters import ADAPTER_WEIGHTS, is_adapter, read_records, recorded_base, warn_if_unfinished
from cosec.models.cache_shape import cache_shape
from cosec.models.loading.checks import read_tensors

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

PREFIX_TUNING = "PREFIX_TUNING"
"""peft's name of the kind of adapter."""

_TENSOR = "prompt_embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A trained prefix, read into memory."""

    path: Path
    """The folder it was read from."""

    base_name: str | None
    """The model that it was trained on, as its configuration names it; None if it names none."""

    base_sha256: str | None
    """Fingerprint of that model's weights; None if no manifest records it."""

    embeddings: Tensor
    """Shape (tokens, 2 x layers x heads x width): for each layer the keys of all heads, then the values."""

    @property
    def tokens(self) -> int:
        """Number of virtual tokens."""
        return self.embeddings.shape[0]


def is_prefix(folder: Path) -> bool:
    """Tell whether a folder holds a prefix, as peft writes it.

    Raises:
        AdapterError: If its configuration cannot be read.
    """
    return is_adapter(folder) and read_records(folder)[0].get("peft_type") == PREFIX_TUNING


def read_prefix(path: Path) -> Prefix:
    """Read the folder of a prefix.

    Raises:
        AdapterError: If a file is missing or corrupt, or the prefix was never trained.
    """
    _, manifest = read_records(path)
    file = path / ADAPTER_WEIGHTS
    try:
        found = read_tensors(file) if file.is_file() else {}
    except ModelError as error:
        raise AdapterError(f"The prefix is corrupt: {error}") from error
    if set(found) != {_TENSOR} or len(found[_TENSOR].shape) != 2:
        raise AdapterError(f"{file} does not hold the tensor {_TENSOR!r} alone, so it is no prefix that peft wrote.")
    from safetensors.torch import load_file

    embeddings = load_file(file)[_TENSOR]
    if not embeddings.isfinite().all():
        raise AdapterError(f"The prefix {path} holds values that are not finite.")
    if manifest.get("best_epoch") == 0:
        raise AdapterError(
            f"The prefix {path} is untrained. Its training stopped before the end of the first epoch, or no epoch "
            "lowered the validation loss. Continue it with cosec tune --resume."
        )
    warn_if_unfinished(path, manifest)
    base_name, base_sha256 = recorded_base(path)
    return Prefix(path=path, base_name=base_name, base_sha256=base_sha256, embeddings=embeddings)


def prefix_layers(prefix: Prefix, model: PreTrainedModel, name: str) -> Sequence[tuple[Tensor, Tensor]]:
    """Split a prefix into keys and values for a model.

    Args:
        prefix: The prefix.
        model: The model, which decides device and type.
        name: What messages call the model.

    Returns:
        For each layer keys and values of shape (heads, tokens, width).

    Raises:
        AdapterError: If the prefix does not fit the model.
    """
    shape = cache_shape(model.config.to_dict())
    if shape is None or shape.values_per_token != prefix.embeddings.shape[1]:
        raise AdapterError(
            f"The prefix {prefix.path} has {prefix.embeddings.shape[1]} values a token, which does not fit the keys "
            f"and values of {name}: it was made for {prefix.base_name or 'another model'}."
        )
    placed = prefix.embeddings.to(model.device, model.dtype)
    split = placed.view(prefix.tokens, shape.layers, 2, shape.heads, shape.width).permute(1, 2, 3, 0, 4)
    return [(keys.contiguous(), values.contiguous()) for keys, values in split]
