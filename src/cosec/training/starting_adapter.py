"""Train on from another adapter: its rank, scale and modules become those of the new one, and its weights the start.

The new adapter is still compared with the base model without any adapter, so the functional loss keeps what it kept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from peft import get_peft_model_state_dict, set_peft_model_state_dict

from cosec.errors import AdapterError, SettingsError
from cosec.models.adapters import ADAPTER_WEIGHTS, Adapter, read_adapter
from cosec.models.identity import hash_file
from cosec.models.loading.bundled import shipped_adapter
from cosec.models.loading.load import resolve_model
from cosec.training.settings import HardeningSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingAdapter:
    """An adapter whose weights a run starts from."""

    adapter: Adapter
    name: str
    """What the user called it."""

    sha256: str
    """Digest of its weight file."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    """Names of the modules that it changes, each with the one around it: ``c_proj`` alone may mean several."""

    def shape(self, settings: HardeningSettings, given: Collection[str] = ()) -> HardeningSettings:
        """Return the settings with this adapter's rank, scale and modules.

        Args:
            settings: The settings of the run.
            given: Names of settings that were set by hand and must not be replaced.

        Raises:
            SettingsError: If a setting in ``given`` contradicts the adapter, or the method trains a prefix.
        """
        if settings.method == "prefix":
            raise SettingsError(
                "--method prefix trains no adapter, so it cannot start from one; leave out one of them."
            )
        own: dict[str, Any] = {"lora_rank": self.rank, "lora_alpha": self.alpha, "lora_targets": self.targets}
        for name, value in own.items():
            found = getattr(settings, name)
            if name in given and not (self._has_targets(found) if name == "lora_targets" else found == value):
                flag = f"--{name.replace('_', '-')}"
                raise SettingsError(f"{self.name} has {name} = {value!r}, not {found!r}; leave out {flag}.")
        return settings.model_copy(update=own)

    def _has_targets(self, names: Collection[str]) -> bool:
        """Whether names, as peft reads them, choose this adapter's modules: each a module, and each module by one."""
        chosen = {name: {one for one in self.targets if one == name or one.endswith(f".{name}")} for name in names}
        return all(chosen.values()) and set().union(*chosen.values()) == set(self.targets)

    def check_base(self, base_sha256: str) -> None:
        """Refuse the adapter of another base.

        Args:
            base_sha256: Fingerprint of the base of the run.

        Raises:
            AdapterError: If the adapter was made for another base.
        """
        if self.adapter.base_sha256 not in (None, base_sha256):
            raise AdapterError(
                f"The adapter {self.name} was trained on {self.adapter.base_name or 'another base'}, which is not the "
                "model of --base; an adapter can only be trained on with its own base."
            )

    def copy_into(self, model: Any) -> None:
        """Give a fresh adapter in a model these weights.

        Args:
            model: The ``peft.PeftModel`` whose adapter has this one's shape.

        Raises:
            AdapterError: If the adapter does not fit the model.
        """
        weights = {f"base_model.model.{name}.weight": value.float() for name, value in self.adapter.weights.items()}
        fresh = get_peft_model_state_dict(model, save_embedding_layers=False)
        if {name: value.shape for name, value in weights.items()} != {n: value.shape for n, value in fresh.items()}:
            raise AdapterError(f"{self.name} changes other modules than an adapter of the model of --base would.")
        set_peft_model_state_dict(model, weights)


def read_starting_adapter(name: str) -> StartingAdapter:
    """Read the adapter that a run starts from.

    Args:
        name: An adapter folder, or an embedded model for the adapter that ships for it.

    Raises:
        AdapterError: If it is no adapter, or not plain LoRA with one rank and one scale.
        ModelError: If there is no such folder.
    """
    adapter = read_adapter(shipped_adapter(name) or resolve_model(name))
    ranks = {value.shape[0] for key, value in adapter.weights.items() if key.endswith(".lora_A")}
    scales = set(adapter.scales.values())
    if len(ranks) != 1 or len(scales) != 1:
        raise AdapterError(f"{name} has modules of different rank or scale, which training cannot start from.")
    (rank,), (scale,) = ranks, scales
    return StartingAdapter(
        adapter=adapter,
        name=name,
        sha256=hash_file(adapter.path / ADAPTER_WEIGHTS),
        rank=rank,
        alpha=scale * rank,
        targets=tuple(sorted({".".join(module.split(".")[-2:]) for module in adapter.scales})),
    )
