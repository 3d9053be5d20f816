"""Write the student in training as an ordinary model folder.

An adapter is merged into a copy of its layers' weights; the model in training does not change. Sharded weights are
gathered one by one.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cosec.models.loading.quietness import quiet_transformers
from cosec.models.pruning import TOKENIZER_FILES
from cosec.training.loop.sharding import gathered, whole

WEIGHTS = "model.safetensors"
"""The weights are one file of any size, so that one digest identifies the student."""

COMPANIONS = (*TOKENIZER_FILES, "generation_config.json")
"""Files copied unchanged from the initial student."""


def write_student(model: Any, begun_with: Path, folder: Path | None) -> None:
    """Write configuration, weights and tokenizer.

    Args:
        model: A causal language model, or a ``peft.PeftModel`` around one.
        begun_with: Folder of the student before alignment.
        folder: Exists and is empty; None in the processes that only give their slices of the weights.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    weights = merged_weights(causal, keep=folder is not None)
    if folder is None:
        return
    with torch.device("meta"):
        plain = type(causal)(causal.config)
    plain.load_state_dict(weights, assign=True, strict=False)
    plain.tie_weights()
    with quiet_transformers():
        plain.save_pretrained(folder, max_shard_size="1000TB")
    for name in COMPANIONS:
        if (begun_with / name).is_file():
            shutil.copy(begun_with / name, folder / name)


@torch.no_grad()
def merged_weights(causal: Any, *, keep: bool) -> dict[str, Tensor]:
    """The weights by their names without adapters, with each adapter added to a copy of its layer's weight.

    Args:
        causal: The model, its weights divided or not.
        keep: False takes part in gathering sharded weights and returns nothing.
    """
    own = {
        name.replace(".base_layer.", "."): value for name, value in causal.state_dict().items() if ".lora_" not in name
    }
    weights = gathered(own, keep=keep)
    for name, module in causal.named_modules():
        if hasattr(module, "get_delta_weight"):
            change = whole(module.get_delta_weight("default"))
            if keep:
                weights[f"{name}.weight"] = weights[f"{name}.weight"] + change.cpu()
    return weights
