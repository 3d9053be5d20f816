"""Make a smaller model from some layers of a larger one: a student for families without a small model.

The paper starts from small models that exist; pruning is this project's addition. A pruned model predicts badly until
it has been aligned. Embeddings, final norm, head and tokenizer stay, so the models' probabilities can be compared.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import SettingsError, UnknownArchitecture
from cosec.files import write_atomically
from cosec.models.description import describe_model
from cosec.models.identity import model_fingerprint
from cosec.models.loading.quietness import quiet_transformers
from cosec.models.loading.reading import read_weights
from cosec.models.loading.store import new_folder

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
"""Files that are copied unchanged, so that both models have the same vocabulary."""

_PER_LAYER_ENTRIES = ("layer_types",)
"""Entries of a configuration that have one value for each layer."""


def spread_evenly(count: int, total: int) -> tuple[int, ...]:
    """Choose ``count`` of ``total`` layers at even distances, including the first and the last.

    Raises:
        SettingsError: If ``count`` is below 2 or not below ``total``.
    """
    if total < 3:
        raise SettingsError(f"A model of {total} layers cannot be pruned: the first and the last one stay.")
    if not 2 <= count < total:
        raise SettingsError(f"--layers {count}: of {total} layers, between 2 and {total - 1} can be kept.")
    # Rounded to the nearest layer; the distance is greater than 1, so no layer is chosen twice.
    return tuple((2 * place * (total - 1) + count - 1) // (2 * (count - 1)) for place in range(count))


def prune_model(name: str, out: Path, layers: int | Sequence[int]) -> tuple[int, ...]:
    """Write a copy of a model with some of its layers and the same tokenizer.

    Args:
        name: As for ``resolve_model``; not an adapter.
        out: The folder to create; its ``source.json`` records the model and the layers.
        layers: Number of layers to keep, evenly spread, or the indices of those to keep, from 0.

    Returns:
        Indices of the layers that were kept.

    Raises:
        SettingsError: If the layers do not exist, or ``out`` is not empty or cannot be replaced.
        UnknownArchitecture: If the model's layers cannot be found.
        ModelError: If the model cannot be read, or is an adapter.
    """
    description = describe_model(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"{out} is not empty; choose another --out")
    if out.resolve() == Path.cwd() or out.is_mount():
        raise SettingsError(f"{out} is in use as the current folder or a mount; name a new folder in it with --out")
    model = read_weights(name, description.path, dtype=description.stored_dtype, device_map=None)
    kept = keep_layers(model, layers)
    source = {"pruned_from": name, "sha256": model_fingerprint(description.path), "layers": kept}
    with new_folder(out) as unfinished, quiet_transformers():
        model.save_pretrained(unfinished)
        for file in TOKENIZER_FILES:
            if (description.path / file).is_file():
                shutil.copy(description.path / file, unfinished / file)
        write_atomically(unfinished / "source.json", json.dumps(source, indent=2) + "\n")
    return kept


def keep_layers(model: PreTrainedModel, layers: int | Sequence[int]) -> tuple[int, ...]:
    """Remove layers from a model and its configuration; save and load the model before using it.

    Args:
        model: Changed in place.
        layers: As for ``prune_model``.

    Returns:
        Indices of the layers that were kept.

    Raises:
        SettingsError: If the layers do not exist.
        UnknownArchitecture: If the model's layers cannot be found.
    """
    place, stack = _find_layers(model)
    total = len(stack)
    kept = spread_evenly(layers, total) if isinstance(layers, int) else _checked(layers, total)
    setattr(model.base_model, place, type(stack)([stack[index] for index in kept]))
    config: Any = model.config
    # transformers maps this name to the architecture's own, such as n_layer.
    config.num_hidden_layers = len(kept)
    for entry in _PER_LAYER_ENTRIES:
        values = getattr(config, entry, None)
        if isinstance(values, list) and len(values) == total:
            setattr(config, entry, [values[index] for index in kept])
    return kept


def _find_layers(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """The list of the model's layers, and its name in the model's body."""
    from torch import nn

    found = [
        (name, module)
        for name, module in model.base_model.named_children()
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers
    ]
    if len(found) != 1:
        raise UnknownArchitecture(
            f"The layers of a {model.config.model_type!r} model were not found ({len(found)} lists of "
            f"{model.config.num_hidden_layers} modules); pruning knows models with one stack of layers."
        )
    return found[0]


def _checked(layers: Sequence[int], total: int) -> tuple[int, ...]:
    kept = tuple(layers)
    if not kept or list(kept) != sorted(set(kept)) or kept[0] < 0 or kept[-1] >= total or len(kept) == total:
        shown = ",".join(map(str, kept))
        raise SettingsError(
            f"--layers {shown}: name some of the layers 0 to {total - 1}, in rising order, each once and not all"
        )
    return kept
