"""An adapter as peft reads it, written from the model it sits in."""

import copy
from pathlib import Path
from typing import Any

from peft import get_peft_model_state_dict
from safetensors.torch import save_file


def write_adapter(model: Any, base_name: str, folder: Path) -> None:
    """Write peft's two files, ``adapter_config.json`` and ``adapter_model.safetensors``.

    Args:
        model: The ``peft.PeftModel``.
        base_name: What the configuration calls the base model.
        folder: Exists.
    """
    config = copy.copy(model.peft_config["default"])
    config.base_model_name_or_path = base_name
    config.inference_mode = True
    config.target_modules = sorted(config.target_modules)
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    config.save_pretrained(folder)
    tensors = {name: value.cpu().contiguous() for name, value in weights.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
