"""LoRA adapters: read a folder of peft, check it against a base model, merge it.

``Adapter.weights`` and ``Adapter.scales`` are what ``cosec.runtime.attach_adapter`` takes; ``merge_adapter`` adds the
same update to the base's own weights. Only plain LoRA on linear maps is supported; anything else is refused.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import AdapterError, CosecWarning, ModelError
from cosec.models.loading.checks import PICKLE_SUFFIXES, read_json, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

ADAPTER_CONFIG = "adapter_config.json"
"""peft's name of an adapter's configuration."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""peft's name of an adapter's weights."""

_MANIFEST = "manifest.json"
_UPDATE_NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_UNSUPPORTED_SETTINGS = (
    "use_dora",
    "modules_to_save",
    "fan_in_fan_out",
    "lora_bias",
    "trainable_token_indices",
    "alora_invocation_tokens",
)
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Beginnings of peft's ways to begin training that subtract something from the base first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter, read into memory."""

    path: Path
    """The folder it was read from."""

    base_name: str | None
    """The base model that it was trained on, as its configuration names it; None if it names none."""

    base_sha256: str | None
    """Fingerprint of the base's weights (``identity.model_fingerprint``); None if no manifest records it."""

    weights: Mapping[str, Tensor]
    """``"<module>.lora_A"`` of shape (rank, in) and ``"<module>.lora_B"`` of shape (out, rank) for each module."""

    scales: Mapping[str, float]
    """For each changed module the factor of its update, alpha / rank."""


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds the configuration of a peft adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter(path: Path) -> Adapter:
    """Read an adapter folder as peft writes it.

    Raises:
        AdapterError: If a file is missing or corrupt, or the adapter is not plain LoRA.
    """
    config, manifest = read_records(path)
    _refuse_other_kinds(path, config)
    weights = _read_weights(path)
    if not any(value.any() for name, value in weights.items() if name.endswith(".lora_B")):
        raise AdapterError(
            f"The adapter {path} is untrained: it changes no weight of its base. Its training stopped before "
            "the end of the first epoch, or no epoch lowered the validation loss. Continue it with cosec tune --resume."
        )
    warn_if_unfinished(path, manifest)
    base_name, base_sha256 = _recorded_base(config, manifest)
    return Adapter(
        path=path,
        base_name=base_name,
        base_sha256=base_sha256,
        weights=weights,
        scales=_scales(path, config, weights),
    )


def warn_if_unfinished(path: Path, manifest: Mapping[str, Any]) -> None:
    """Warn that the training run of an adapter has not reached its end."""
    if manifest.get("finished") is False:
        warnings.warn(
            f"The adapter {path} comes from an unfinished training run (best epoch so far: "
            f"{manifest.get('best_epoch')}); continue it with cosec tune --resume.",
            CosecWarning,
            stacklevel=3,
        )


def read_records(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read an adapter's configuration and its manifest, which is empty if there is none; reads no weights.

    Raises:
        AdapterError: If the folder is not an adapter, or one of the files is corrupt.
    """
    if not is_adapter(path):
        raise AdapterError(f"{path} has no {ADAPTER_CONFIG}, so it is not an adapter folder.")
    try:
        manifest = read_json(path / _MANIFEST) if (path / _MANIFEST).is_file() else {}
        return read_json(path / ADAPTER_CONFIG), manifest
    except ModelError as error:
        raise AdapterError(str(error)) from error


def recorded_base(path: Path) -> tuple[str | None, str | None]:
    """The base that an adapter folder records; reads no weights.

    Returns:
        The base's name and the fingerprint of its weights; None for what is not recorded.

    Raises:
        AdapterError: If the folder is not an adapter, or its configuration is corrupt.
    """
    return _recorded_base(*read_records(path))


def _recorded_base(config: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[str | None, str | None]:
    recorded = manifest.get("base_model")
    base = recorded if isinstance(recorded, dict) else {}
    return config.get("base_model_name_or_path") or base.get("name"), base.get("sha256")


def check_fits(adapter: Adapter, model: nn.Module, base_name: str) -> None:
    """Check that every module that the adapter changes is a linear map of the model with the right shape.

    Args:
        adapter: The adapter.
        model: The base model; its weights need not be loaded.
        base_name: What messages call the base model.

    Raises:
        AdapterError: If it does not fit the model.
    """
    for name in adapter.scales:
        _linear_for(adapter, model, name, base_name)


def merge_adapter(model: PreTrainedModel, adapter: Adapter, base_name: str) -> None:
    """Add the adapter's updates to the weights of a model, computed in float32.

    Args:
        model: The base model; changed in place.
        adapter: The adapter.
        base_name: What messages call the base model.

    Raises:
        AdapterError: If the adapter does not fit the model, or changes an output head that is also the embedding.
    """
    import torch

    embedding = model.get_input_embeddings().weight
    with torch.no_grad():
        for name, scale in adapter.scales.items():
            weight = _linear_for(adapter, model, name, base_name)
            if weight is embedding:
                raise AdapterError(
                    f"The adapter {adapter.path} changes {name!r}, whose weights are also the embedding of "
                    f"{base_name}, so it cannot be merged; train it again without that target."
                )
            lora_a, lora_b = (adapter.weights[f"{name}.lora_{side}"].to(weight.device).float() for side in "AB")
            weight.copy_(weight.float() + scale * (lora_b @ lora_a))


def _linear_for(adapter: Adapter, model: nn.Module, name: str, base_name: str) -> Tensor:
    """Return the weight, shape (out, in), of the module that an update belongs to."""
    from torch import nn

    try:
        module = model.get_submodule(name)
    except AttributeError as error:
        raise AdapterError(
            f"The adapter {adapter.path} changes {name!r}, which {base_name} does not have: "
            f"it was made for {adapter.base_name or 'another base'}."
        ) from error
    if not isinstance(module, nn.Linear):
        raise AdapterError(f"The adapter {adapter.path} changes {name!r}, which is not a linear map in {base_name}.")
    update = (adapter.weights[f"{name}.lora_B"].shape[0], adapter.weights[f"{name}.lora_A"].shape[1])
    if update != (module.out_features, module.in_features):
        raise AdapterError(
            f"The adapter {adapter.path} updates {name!r} with a {update[0]} x {update[1]} matrix, but {base_name} has "
            f"{module.out_features} x {module.in_features}: it was made for {adapter.base_name or 'another base'}."
        )
    return module.weight


def _refuse_other_kinds(path: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise AdapterError(f"{path} is an adapter of type {kind!r}; only LORA adapters are supported.")
    unsupported = [name for name in _UNSUPPORTED_SETTINGS if config.get(name)]
    if config.get("bias", "none") != "none":
        unsupported.append("bias")
    begun = config.get("init_lora_weights")
    if isinstance(begun, str) and begun.lower().startswith(_CHANGES_BASE):
        unsupported.append(f"init_lora_weights = {begun!r}")
    if unsupported:
        raise AdapterError(
            f"The adapter {path} uses {', '.join(unsupported)}, which is not supported; "
            "merge it into its base with peft and use the merged model."
        )


def _read_weights(path: Path) -> dict[str, Tensor]:
    file = path / ADAPTER_WEIGHTS
    if not file.is_file():
        pickled = [other.name for other in path.iterdir() if other.suffix in PICKLE_SUFFIXES]
        reason = f"only {pickled[0]}, a pickle that could run code" if pickled else "no weights"
        raise AdapterError(f"{path} holds {reason}; save the adapter again as {ADAPTER_WEIGHTS}.")
    try:
        read_tensors(file)
    except ModelError as error:
        raise AdapterError(f"The adapter is corrupt: {error}") from error
    from safetensors.torch import load_file

    weights = {}
    for stored_name, tensor in load_file(file).items():
        parts = _UPDATE_NAME.fullmatch(stored_name)
        if parts is None or tensor.dim() != 2:
            raise AdapterError(f"The adapter {path} holds {stored_name!r}, which is not a LoRA update of a linear map.")
        if not tensor.isfinite().all():
            raise AdapterError(f"The adapter {path} holds values in {stored_name!r} that are not finite.")
        weights[f"{parts['module']}.lora_{parts['side']}"] = tensor
    return weights


def _scales(path: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, float]:
    """Compute alpha / rank of each module, and check that each update has both of its matrices."""
    modules = sorted({name.rpartition(".lora_")[0] for name in weights})
    if not modules:
        raise AdapterError(f"The adapter {path} changes nothing: its weight file is empty.")
    scales = {}
    for module in modules:
        lora_a, lora_b = weights.get(f"{module}.lora_A"), weights.get(f"{module}.lora_B")
        if lora_a is None or lora_b is None or lora_a.shape[0] != lora_b.shape[1]:
            raise AdapterError(
                f"The adapter {path} is corrupt: the two matrices of its update of {module!r} do not match."
            )
        rank = lora_a.shape[0]
        alpha = _alpha(path, config, module)
        scales[module] = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return scales


def _alpha(path: Path, config: Mapping[str, Any], module: str) -> float:
    alpha: object = config.get("lora_alpha")
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            alpha = value
            break
    if not isinstance(alpha, int | float):
        raise AdapterError(f"{path / ADAPTER_CONFIG} gives no usable lora_alpha ({json.dumps(alpha)}).")
    return float(alpha)
