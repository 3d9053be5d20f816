"""Write a trained adapter as a folder that peft reads."""

import copy
from pathlib import Path
from typing import Any

from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from cosec.models.adapters import ADAPTER_WEIGHTS


def write_adapter(model: Any, base_name: str, folder: Path) -> None:
    """Write peft's two files, ``adapter_config.json`` and ``adapter_model.safetensors``.

    Args:
        model: The ``peft.PeftModel``.
        base_name: Name of the base model in the configuration.
        folder: An existing folder.
    """
    config = copy.copy(model.peft_config["default"])
    config.base_model_name_or_path = base_name
    config.inference_mode = True
    if hasattr(config, "target_modules"):  # a prefix has none
        config.target_modules = sorted(config.target_modules)
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    config.save_pretrained(folder)
    tensors = {name: value.cpu().contiguous() for name, value in weights.items()}
    save_file(tensors, folder / ADAPTER_WEIGHTS)
