"""Load the model that ``cosec tune`` trains an adapter for."""

from cosec.errors import SettingsError
from cosec.models.adapters import is_adapter
from cosec.models.families import lora_targets
from cosec.models.identity import model_fingerprint
from cosec.models.loading.load import load_model, local_path, resolve_model
from cosec.training.hardening import BaseModel
from cosec.training.settings import HardeningSettings


def load_base(name: str, settings: HardeningSettings, *, dtype: str = "auto") -> BaseModel:
    """Load the base model of a new adapter.

    Args:
        name: As for ``load_model``; not an adapter.
        settings: The window must fit the model's context.
        dtype: As for ``load_model``.

    Raises:
        SettingsError: If ``name`` is an adapter, or the window is longer than the context.
        ModelError: If the model cannot be loaded, or its LoRA targets are unknown.
    """
    if is_adapter(resolve_model(name)):
        raise SettingsError(f"{name} is an adapter; --base needs a full model (the adapter's own base, for example).")
    loaded = load_model(name, dtype=dtype)
    prefix = settings.prefix_tokens if settings.method == "prefix" else 0
    if settings.max_tokens + prefix > loaded.context_length:
        behind = f" behind a prefix of {prefix}" if prefix else ""
        raise SettingsError(
            f"--max-tokens {settings.max_tokens}{behind} is longer than the context of {name} "
            f"({loaded.context_length} tokens)."
        )
    place = local_path(name)
    return BaseModel(
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        name=name if place is None else str(place.resolve()),
        sha256=model_fingerprint(loaded.path),
        lora_targets=lora_targets(loaded.model, settings.lora_targets),
    )
