"""Describe a model without loading its weights: family, size, vocabulary, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosec.errors import AdapterError, ModelError
from cosec.models.adapters import is_adapter
from cosec.models.cache_shape import cache_shape
from cosec.models.families import Family, family_of
from cosec.models.loading.checks import StoredTensor, read_config, read_tensors, weight_files
from cosec.models.loading.load import resolve_model
from cosec.models.loading.reading import BYTES_PER_VALUE, context_length

_STORED_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """A model folder, as its configuration, tokenizer and weight headers describe it."""

    name: str
    path: Path
    family: Family | None
    model_type: str
    parameters: int
    """Number of stored weights; a head tied to the embedding counts once."""

    stored_dtype: str
    """Number format of most weights in the files, as torch names it."""

    context_length: int
    vocabulary: int
    """Number of token ids that the tokenizer uses."""

    head_width: int
    """Number of logits, with padding."""

    cache_values_per_token: int | None
    """Numbers in the key-value cache for each token of a sequence; None if the configuration does not tell."""

    def weight_bytes(self, dtype: str) -> int:
        """Bytes of the weights when loaded with ``dtype``; ``"auto"`` is float32, as on a CPU."""
        return self.parameters * BYTES_PER_VALUE[dtype]

    def cache_bytes_per_token(self, dtype: str) -> int | None:
        """Bytes of one token of a sequence in the key-value cache; None if the configuration does not tell."""
        values = self.cache_values_per_token
        return None if values is None else values * BYTES_PER_VALUE[dtype]


def describe_model(name: str) -> ModelDescription:
    """Describe a model; downloads or converts it first if necessary.

    Args:
        name: As for ``resolve_model``.

    Raises:
        ModelError: If the model cannot be found, read or trusted.
        AdapterError: If it is an adapter, which is not a model of its own.
    """
    folder = resolve_model(name)
    if is_adapter(folder):
        raise AdapterError(f"{name!r} is an adapter, not a model; name the base it belongs to.")
    config = read_config(folder)
    tensors = [tensor for file in weight_files(folder) for tensor in read_tensors(file).values()]
    token_ids = _token_ids(name, folder)
    return ModelDescription(
        name=name,
        path=folder,
        family=family_of(config["model_type"], token_ids),
        model_type=config["model_type"],
        parameters=sum(math.prod(tensor.shape) for tensor in tensors),
        stored_dtype=_commonest_dtype(tensors),
        context_length=context_length(name, config),
        vocabulary=max(token_ids.values()) + 1,
        head_width=int(config.get("vocab_size", len(token_ids))),
        cache_values_per_token=cache_values_per_token(config),
    )


def _commonest_dtype(tensors: list[StoredTensor]) -> str:
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.end - tensor.start
    stored = max(sizes, key=lambda dtype: sizes[dtype], default="")
    return _STORED_DTYPES.get(stored, stored)


def _token_ids(name: str, folder: Path) -> dict[str, int]:
    """Read the vocabulary with the tokenizers library alone, which is quicker to import, where that is possible."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        from cosec.models.loading.reading import read_tokenizer

        return read_tokenizer(name, folder).get_vocab()
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file)).get_vocab()
    # The library raises bare Exception for a malformed file.
    except Exception as error:
        raise ModelError(f"The tokenizer of {name!r} ({file}) cannot be read: {error}") from error


def cache_values_per_token(config: Mapping[str, Any]) -> int | None:
    """Count keys and values of one token over all layers: 2 x layers x key-value heads x head width.

    Args:
        config: Contents of ``config.json``.

    Returns:
        The number, or None if the configuration does not tell.
    """
    shape = cache_shape(config)
    return None if shape is None else shape.values_per_token
