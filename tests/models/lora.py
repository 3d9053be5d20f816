"""A random LoRA adapter on a tiny model, with peft's own model beside ours."""

from __future__ import annotations

import warnings

from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from torch.random import fork_rng, manual_seed
from transformers import PreTrainedModel

from cosec.models.families import lora_targets
from cosec.runtime.torch.lora_rows import AdapterSwitch, attach_adapter
from tests.tiny import tiny_model

RANK, ALPHA = 4, 8


def peft_model(architecture: str, seed: int = 5) -> PeftModel:
    """The tiny model with a random adapter that visibly changes it."""
    model = tiny_model(architecture)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(lora_targets(model)), task_type="CAUSAL_LM")
    with fork_rng(devices=[]), warnings.catch_warnings():
        # peft asks transformers for an attribute that is deprecated.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        manual_seed(seed)
        adapted = get_peft_model(model, config)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                nn.init.normal_(parameter, std=0.2)
    return adapted.eval()


def adapter_weights(adapted: PeftModel) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The adapter as ``attach_adapter`` takes it."""
    weights = {}
    for name, parameter in adapted.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            module = name.removeprefix("base_model.model.").split(".lora_")[0]
            weights[f"{module}.lora_{'A' if '.lora_A.' in name else 'B'}"] = parameter.detach().clone()
    scales = {name.removesuffix(".lora_A"): ALPHA / RANK for name in weights if name.endswith(".lora_A")}
    return weights, scales


def attached(architecture: str, seed: int = 5) -> tuple[PreTrainedModel, AdapterSwitch, PreTrainedModel]:
    """Our model with the adapter on a switch, the switch, and a model with the adapter merged into it by peft."""
    adapted = peft_model(architecture, seed)
    model = tiny_model(architecture)
    switch = attach_adapter(model, *adapter_weights(adapted))
    return model, switch, adapted.merge_and_unload()
