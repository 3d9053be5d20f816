"""A LoRA adapter on the leading rows of a batch: one set of weights that serves as two models.

``attach_adapter`` wraps every linear map that the adapter changes in a :class:`LoraRows`. In each forward the adapter
acts on as many leading rows as ``AdapterSwitch.rows`` says. The other rows are the base model, bit for bit. So one
forward over ``[security rows, target rows]`` runs both models, and memory holds the weights once.
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

    weights: Mapping[str, Tensor] = field(default_factory=dict)
    """The weights of the adapter, as ``attach_adapter`` took them."""


class LoraRows(nn.Module):
    """A linear map that adds ``scale · B A x`` to its leading rows.

    ``base`` may be replaced by a map that appends ``A x`` to its own outputs, as a packed one does.
    """

    def __init__(self, base: nn.Linear, lora_a: Tensor, lora_b: Tensor, scale: float, switch: AdapterSwitch) -> None:
        super().__init__()
        self.base = base
        weight = base.weight
        self.lora_a: Tensor
        self.lora_b: Tensor
        self.register_buffer("lora_a", lora_a.to(weight), persistent=False)
        self.register_buffer("lora_b", (lora_b.float() * scale).to(weight).t().contiguous(), persistent=False)
        self.switch = switch
        """Shared by all maps that one adapter changes."""

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
        return output


def attach_adapter(model: nn.Module, weights: Mapping[str, Tensor], scales: Mapping[str, float]) -> AdapterSwitch:
    """Wrap the linear maps that an adapter changes; until ``rows`` is set, the model computes what it did before.

    Attaching the same weights again returns the switch that is there.

    Args:
        model: The base model; changed in place. The adapter must fit it (``cosec.models.adapters.check_fits``).
        weights: For each changed module ``"<module>.lora_A"`` of shape (rank, in) and ``"<module>.lora_B"`` of shape
            (out, rank).
        scales: For each changed module the factor of its update, alpha / rank.

    Raises:
        AdapterError: If another adapter is attached, or the model was packed before.
    """
    attached = next((module for module in model.modules() if isinstance(module, LoraRows)), None)
    if attached is not None:
        if attached.switch.weights is weights:
            return attached.switch
        raise AdapterError("These weights carry another adapter already; load the model again to attach this one.")
    switch, wrapped = AdapterSwitch(weights=weights), {}
    for name, scale in scales.items():
        base = model.get_submodule(name)
        if not isinstance(base, nn.Linear):
            raise AdapterError(
                f"An adapter cannot be attached to {name!r}, which is no plain linear map (any more): "
                "a model that was prepared for decoding without the adapter must be loaded again."
            )
        wrapped[name] = LoraRows(base, weights[f"{name}.lora_A"], weights[f"{name}.lora_B"], scale, switch)
    for name, lora in wrapped.items():
        parent_name, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent_name), child, lora)
    return switch
