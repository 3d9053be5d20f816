"""Whole models for programs that take no adapter: an adapter merged into its base, with a head of a given width.

vLLM drafts with one model, whose number of logits must be the target's. What it is given is a folder of the cache, made
once for each combination of base weights, adapter and width.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import AdapterError, VocabularyMismatch
from cosec.files import write_atomically
from cosec.models.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, is_adapter, merge_adapter, read_adapter
from cosec.models.identity import file_sha256, model_fingerprint
from cosec.models.loading.checks import read_config
from cosec.models.loading.load import name_of_base, resolve_base
from cosec.models.loading.quietness import quiet_transformers
from cosec.models.loading.reading import read_tokenizer, read_weights
from cosec.models.loading.store import cache_root, new_folder, writing_to_the_cache
from cosec.models.prefixes import is_prefix
from cosec.models.pruning import TOKENIZER_FILES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FORMAT = 1
"""Raised when the same inputs give another folder."""


def whole_model(name: str, folder: Path, *, head_width: int | None = None) -> Path:
    """Return a folder that holds a whole model with a head of the given width; write it if necessary.

    The folder is ``folder`` itself if that already is such a model. Otherwise it is one of the cache, in float32: an
    adapter is merged into its base, missing logits and embeddings are 0, and surplus ones, which belong to no token,
    are cut off.

    Args:
        name: What messages call the model.
        folder: A model or a LoRA adapter, as ``resolve_model`` returns it.
        head_width: Number of logits, padding included; None keeps that of the model.

    Raises:
        AdapterError: If the adapter is corrupt, its base is not available, or it is a prefix.
        VocabularyMismatch: If the tokenizer has more tokens than ``head_width``.
        ModelError: If the model cannot be read, or the cache cannot be written.
    """
    if is_prefix(folder):
        raise AdapterError(
            f"{name!r} is a trained prefix, which cannot be merged into weights; use a LoRA adapter or a model."
        )
    adapter = read_adapter(folder) if is_adapter(folder) else None
    base = folder if adapter is None else resolve_base(adapter)
    base_name = name if adapter is None else name_of_base(adapter)
    own_width = int(read_config(base)["vocab_size"])
    width = own_width if head_width is None else head_width
    if adapter is None and width == own_width:
        return folder
    tokens = max(read_tokenizer(name, base).get_vocab().values()) + 1
    if width < tokens:
        raise VocabularyMismatch(f"{name!r} has {tokens} tokens, which do not fit into a head of {width} logits.")
    source = _source(base_name, base, folder if adapter is not None else None, width)
    written = cache_root() / "whole" / hashlib.sha256(json.dumps(source).encode()).hexdigest()[:32]
    if not written.is_dir():
        # float32 holds the merged weights exactly enough for any format that they are served in.
        model = read_weights(base_name, base, dtype="float32", device_map=None)
        if adapter is not None:
            merge_adapter(model, adapter, base_name)
        with_head_width(model, width)
        with writing_to_the_cache():
            _write(model, base, written, source)
    return written


def with_head_width(model: PreTrainedModel, width: int) -> None:
    """Change the number of logits and embeddings of a model in place; new rows are 0.

    Args:
        model: The model.
        width: Number of logits, padding included.
    """
    import torch

    before = int(model.config.vocab_size)
    if width == before:
        return
    model.resize_token_embeddings(width, mean_resizing=False)
    with torch.no_grad():
        for module in (model.get_input_embeddings(), model.get_output_embeddings()):  # type: ignore[no-untyped-call]
            for values in module.parameters():
                values[before:] = 0
    model.requires_grad_(False)


def _source(base_name: str, base: Path, adapter: Path | None, width: int) -> Mapping[str, object]:
    """What a folder is made of; its hash is the folder's name."""
    files = {} if adapter is None else {file: file_sha256(adapter / file) for file in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}
    return {
        "format": _FORMAT,
        "base": base_name,
        "base_sha256": model_fingerprint(base),
        "adapter": files,
        "head_width": width,
    }


def _write(model: PreTrainedModel, base: Path, written: Path, source: Mapping[str, Any]) -> None:
    with new_folder(written) as unfinished, quiet_transformers():
        model.save_pretrained(unfinished)
        for file in TOKENIZER_FILES:
            if (base / file).is_file():
                shutil.copy(base / file, unfinished / file)
        write_atomically(unfinished / "source.json", json.dumps(source, indent=2) + "\n")
