"""One set of weights, two models: the target and the target plus a LoRA adapter.

``attach_adapter`` puts a :class:`LoraRows` around every linear map the adapter changes. In a batched forward the
adapter then acts on the leading rows only, as many as ``AdapterSwitch.rows`` says; the remaining rows are the
unchanged base model, bit for bit the same operations. So one forward over ``[security rows, target rows]`` serves
both models and the weights are held once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - torch's own habit
from torch import Tensor, nn

from cosec.errors import AdapterError


@dataclass(slots=True)
class AdapterSwitch:
    """How many leading rows of the next forward go through the adapter."""

    rows: int = 0


class LoraRows(nn.Module):
    """A linear map whose leading rows get ``scale · B A x`` added."""

    def __init__(self, base: nn.Linear, lora_a: Tensor, lora_b: Tensor, scale: float, switch: AdapterSwitch) -> None:
        super().__init__()
        self.base = base
        weight = base.weight
        self.lora_a: Tensor
        self.lora_b: Tensor
        self.register_buffer("lora_a", lora_a.to(weight), persistent=False)
        self.register_buffer("lora_b", (lora_b.float() * scale).to(weight), persistent=False)
        self._switch = switch

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (rows, new, width)."""
        output: Tensor = self.base(hidden)
        rows = self._switch.rows
        if rows:
            output[:rows] += F.linear(F.linear(hidden[:rows], self.lora_a), self.lora_b)
        return output


def attach_adapter(model: nn.Module, weights: Mapping[str, Tensor], scales: Mapping[str, float]) -> AdapterSwitch:
    """Wrap the linear maps that an adapter changes; until ``rows`` is set the model is unchanged.

    Args:
        model: The base model; changed in place.
        weights: ``"<module>.lora_A"`` and ``"<module>.lora_B"`` for each changed module,
            of shapes (rank, in) and (out, rank).
        scales: For each changed module the factor of its update (alpha / rank).

    Raises:
        AdapterError: If a module is missing from the model or a shape does not fit.
    """
    switch = AdapterSwitch()
    # Everything is checked before anything is changed.
    wrapped = {name: _wrapped(model, name, weights, scale, switch) for name, scale in scales.items()}
    for name, module in wrapped.items():
        parent_name, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent_name), child, module)
    return switch


def _wrapped(
    model: nn.Module, name: str, weights: Mapping[str, Tensor], scale: float, switch: AdapterSwitch
) -> LoraRows:
    try:
        base = model.get_submodule(name)
    except AttributeError as error:
        raise AdapterError(f"The adapter changes {name!r}, which the base model does not have.") from error
    if not isinstance(base, nn.Linear):
        raise AdapterError(f"The adapter changes {name!r}, a {type(base).__name__}; only linear maps can be shared.")
    lora_a, lora_b = weights.get(f"{name}.lora_A"), weights.get(f"{name}.lora_B")
    if lora_a is None or lora_b is None:
        raise AdapterError(f"The adapter's update of {name!r} is incomplete: it needs both lora_A and lora_B.")
    if lora_a.shape[0] != lora_b.shape[1]:
        raise AdapterError(
            f"The adapter's update of {name!r} is corrupt: "
            f"lora_A has rank {lora_a.shape[0]}, lora_B rank {lora_b.shape[1]}."
        )
    if lora_a.shape[1] != base.in_features or lora_b.shape[0] != base.out_features:
        raise AdapterError(
            f"The adapter's update of {name!r} maps {lora_a.shape[1]} to {lora_b.shape[0]} values, "
            f"the base model's map {base.in_features} to {base.out_features}: it was made for another base."
        )
    return LoraRows(base, lora_a, lora_b, scale, switch)
