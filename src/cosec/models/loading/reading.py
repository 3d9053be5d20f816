"""Read a checked model folder: weights, tokenizer, stop tokens and context length."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import ModelError, SettingsError, UnknownArchitecture
from cosec.models.families import Family
from cosec.models.loading.checks import read_json
from cosec.models.loading.host_memory import suit_memory_to_decoding
from cosec.models.loading.quietness import quiet_transformers

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

BYTES_PER_VALUE = {"auto": 4, "float32": 4, "bfloat16": 2, "float16": 2}
"""Size of a number in each format; ``auto`` is float32, as on a CPU."""

DTYPES = tuple(BYTES_PER_VALUE)
"""Number formats that weights can be loaded in."""

CONTEXT_ENTRIES = ("max_position_embeddings", "n_positions")
"""Names of the context length in ``config.json``, which differ by architecture. CodeGen's ``n_ctx`` is no bound."""


def read_weights(name: str, folder: Path, *, dtype: str, device_map: str | None) -> PreTrainedModel:
    """Load the model in a folder for inference, in evaluation mode and without gradients.

    Args:
        name: What messages call the model.
        folder: A folder that ``check_checkpoint`` accepts.
        dtype: One of ``DTYPES``.
        device_map: As transformers takes it; None is the CPU.

    Raises:
        ModelError: If transformers cannot load it, or the folder lacks weights of the architecture.
        UnknownArchitecture: If the architecture is not a causal language model of transformers.
        SettingsError: If ``dtype`` is unknown, or torch cannot use the device.
    """
    suit_memory_to_decoding()
    chosen = choose_dtype(dtype, device_map)
    _check_device(device_map)
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM

    config = read_architecture(name, folder)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UnknownArchitecture(f"{name!r} is a {config.model_type!r} model, which does not predict next tokens.")
    with quiet_transformers():
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=chosen,
                device_map=device_map,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(f"{name!r} ({folder}) could not be loaded: {first_line(error)}") from error
    model: PreTrainedModel = loaded[0]
    report: Mapping[str, Any] = loaded[1]
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelError(
            f"{name!r} ({folder}) lacks {len(missing)} of its weights, first {missing[0]}; fetch it again."
        )
    model.train(False)
    model.requires_grad_(False)
    return model


def read_architecture(name: str, folder: Path) -> PreTrainedConfig:
    """Read the configuration of a model folder, with the defaults of its architecture filled in.

    Raises:
        ModelError: If transformers does not know the architecture, or cannot read the configuration.
    """
    from transformers.models.auto.configuration_auto import AutoConfig

    with quiet_transformers():
        try:
            config: PreTrainedConfig = AutoConfig.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(f"{name!r} ({folder}) could not be loaded: {first_line(error)}") from error
    return config


def read_outline(name: str, folder: Path) -> nn.Module:
    """Build the model of a folder on the device ``meta``: modules and shapes without weights.

    Raises:
        ModelError: If transformers cannot build it.
    """
    import torch
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM

    config = read_architecture(name, folder)
    with quiet_transformers(), torch.device("meta"):
        try:
            outline: nn.Module = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(f"{name!r} ({folder}) could not be loaded: {first_line(error)}") from error
    return outline


def read_tokenizer(name: str, folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer in ``folder``.

    Raises:
        ModelError: If it cannot be read, or is not a fast tokenizer.
    """
    from transformers.models.auto.tokenization_auto import AutoTokenizer

    with quiet_transformers():
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        # The tokenizers library raises bare Exception for a malformed tokenizer.json.
        except Exception as error:
            raise ModelError(f"The tokenizer of {name!r} ({folder}) cannot be read: {first_line(error)}") from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"{name!r} ({folder}) has no tokenizer.json; save its tokenizer as a fast tokenizer of transformers."
        )
    fast: PreTrainedTokenizerFast = tokenizer
    return fast


def choose_dtype(dtype: str, device_map: str | None) -> torch.dtype | str:
    """Translate the name of a number format for transformers; ``"auto"`` is float32 on a CPU, else the checkpoint's.

    Raises:
        SettingsError: If the name is not one of ``DTYPES``.
    """
    if dtype not in DTYPES:
        raise SettingsError(f"dtype {dtype!r} is not one of {', '.join(DTYPES)}.", settings=("dtype",))
    import torch

    if dtype != "auto":
        return getattr(torch, dtype)  # type: ignore[no-any-return]
    on_cpu = device_map in (None, "cpu") or not torch.accelerator.is_available()
    return torch.float32 if on_cpu else "auto"


def _check_device(device_map: str | None) -> None:
    """Refuse a device that this torch cannot use; names of other device maps are left to transformers."""
    import torch

    try:
        device = torch.device(device_map or "cpu")
    except (RuntimeError, TypeError):  # "auto" and the like, or a map of layers
        return
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:  # torch asserts that it was built for the device
        why = first_line(error).partition(". ")[0].rstrip(".")
        raise SettingsError(
            f"--device-map {device_map}: torch {torch.__version__} cannot use this device here ({why}). Leave it out "
            "to run on the processor, or install a torch that was built for the device."
        ) from error


def context_length(name: str, config: Mapping[str, Any]) -> int:
    """Read the context length, in tokens, from a configuration.

    Args:
        name: What messages call the model.
        config: Contents of ``config.json``.

    Raises:
        UnknownArchitecture: If the configuration has no context length.
    """
    for entry in CONTEXT_ENTRIES:
        if isinstance(config.get(entry), int):
            return int(config[entry])
    raise UnknownArchitecture(
        f"The configuration of {name!r} ({config.get('model_type')}) gives no context length "
        f"({' or '.join(CONTEXT_ENTRIES)}), so it is not a model with a key-value cache that can be co-decoded."
    )


def stop_token_ids(
    folder: Path, config: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, family: Family | None
) -> frozenset[int]:
    """Collect the ids of all tokens that end a completion: those of the configuration, the tokenizer and the family."""
    generation = folder / "generation_config.json"
    sources = [config, read_json(generation)] if generation.is_file() else [config]
    found: set[int] = set()
    for source in sources:
        configured = source.get("eos_token_id")
        found.update(configured if isinstance(configured, list) else [configured] if configured is not None else [])
    if isinstance(tokenizer.eos_token_id, int):
        found.add(tokenizer.eos_token_id)
    if family is not None:
        ids = map(tokenizer.backend_tokenizer.token_to_id, family.extra_stop_tokens)
        found.update(token_id for token_id in ids if token_id is not None)
    return frozenset(found)


def first_line(error: BaseException) -> str:
    """Return the first line of an exception that is not blank, or the name of its type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
