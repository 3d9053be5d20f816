"""A LoRA adapter on the leading rows of a batch: one set of weights that serves as two models.

``attach_adapter`` wraps every linear map that the adapter changes in a :class:`LoraRows`. In each forward the adapter
acts on as many leading rows as ``AdapterSwitch.rows`` says. The other rows are the base model, bit for bit. So one
forward over ``[security rows, target rows]`` runs both models, and memory holds the weights once. A second adapter may
act on the last rows (``AdapterSwitch.last_rows``), such as an anti-expert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

from cosec.errors import AdapterError


@dataclass(slots=True)
class AdapterSwitch:
    """How many leading rows of the next forward go through the adapter."""

    rows: int = 0
    """Number of rows; 0 turns the adapter off."""

    last_rows: int = 0
    """Number of last rows that go through the second adapter."""

    weights: Mapping[str, Tensor] = field(default_factory=dict)
    """The weights of the adapter, as ``attach_adapter`` took them."""

    second: Mapping[str, Tensor] | None = None
    """The weights of the second adapter; None without one."""


class LoraRows(nn.Module):
    """A linear map that adds ``scale · B A x`` to its leading rows, and perhaps another update to its last rows.

    ``base`` may be replaced by a map that appends ``A x`` to its own outputs, as a packed one does.
    """

    def __init__(self, base: nn.Linear, lora_a: Tensor, lora_b: Tensor, scale: float, switch: AdapterSwitch) -> None:
        super().__init__()
        self.base = base
        low, high = _update(base.weight, lora_a, lora_b, scale)
        self.lora_a: Tensor
        self.lora_b: Tensor
        self.register_buffer("lora_a", low, persistent=False)
        self.register_buffer("lora_b", high, persistent=False)
        self.second: tuple[Tensor, Tensor] | None = None
        """The update of the last rows."""
        self.switch = switch
        """Shared by all maps that the adapters change."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map to inputs of shape (rows, new, in); the result has shape (rows, new, out)."""
        product: Tensor = self.base(hidden)
        outputs = self.lora_b.shape[1]
        has_low = product.shape[-1] > outputs
        output = product[..., :outputs] if has_low else product
        rows = self.switch.rows
        if rows:
            low = product[:rows, :, outputs:] if has_low else F.linear(hidden[:rows], self.lora_a)
            output[:rows].flatten(0, 1).addmm_(low.flatten(0, 1), self.lora_b)
        last = self.switch.last_rows
        if last and self.second is not None:
            low = F.linear(hidden[-last:], self.second[0])
            output[-last:].flatten(0, 1).addmm_(low.flatten(0, 1), self.second[1])
        return output


def _update(weight: Tensor, lora_a: Tensor, lora_b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The two matrices of an update, as a forward of rows takes them, in the type and on the device of the weight."""
    return lora_a.to(weight), (lora_b.float() * scale).to(weight).t().contiguous()


def attach_adapter(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    scales: Mapping[str, float],
    second: tuple[Mapping[str, Tensor], Mapping[str, float]] | None = None,
) -> AdapterSwitch:
    """Wrap the linear maps that an adapter changes; until ``rows`` is set, the model computes what it did before.

    Attaching the same weights again returns the switch that is there.

    Args:
        model: The base model; changed in place. The adapter must fit it (``cosec.models.adapters.check_fits``).
        weights: For each changed module ``"<module>.lora_A"`` of shape (rank, in) and ``"<module>.lora_B"`` of shape
            (out, rank).
        scales: For each changed module the factor of its update, alpha / rank.
        second: Weights and scales of an adapter for the last rows.

    Raises:
        AdapterError: If another adapter is attached, or the model was packed before.
    """
    attached = next((module for module in model.modules() if isinstance(module, LoraRows)), None)
    if attached is not None:
        same = attached.switch.weights is weights and attached.switch.second is (second and second[0])
        if same:
            return attached.switch
        raise AdapterError("These weights carry another adapter already; load the model again to attach this one.")
    switch = AdapterSwitch(weights=weights, second=second and second[0])
    wrapped: dict[str, LoraRows] = {}
    for name in dict.fromkeys([*scales, *(second[1] if second else ())]):
        base = model.get_submodule(name)
        if not isinstance(base, nn.Linear):
            raise AdapterError(
                f"An adapter cannot be attached to {name!r}, which is no plain linear map (any more): "
                "a model that was prepared for decoding without the adapter must be loaded again."
            )
        # A map that only the second adapter changes gets an empty update for the first.
        lora_a = weights.get(f"{name}.lora_A", base.weight.new_zeros(1, base.in_features))
        lora_b = weights.get(f"{name}.lora_B", base.weight.new_zeros(base.out_features, 1))
        wrapped[name] = LoraRows(base, lora_a, lora_b, scales.get(name, 0.0), switch)
        if second is not None and name in second[1]:
            others, other_scales = second
            wrapped[name].second = _update(
                base.weight, others[f"{name}.lora_A"], others[f"{name}.lora_B"], other_scales[name]
            )
    for name, lora in wrapped.items():
        parent_name, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent_name), child, lora)
    return switch
