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
    """A linear map whose leading rows get ``scale · B A x`` added.

    ``base`` may be replaced by a map that gives ``A x`` after its own outputs, as a packed one does.
    """

    def __init__(self, base: nn.Linear, lora_a: Tensor, lora_b: Tensor, scale: float, switch: AdapterSwitch) -> None:
        super().__init__()
        self.base = base
        weight = base.weight
        self.lora_a: Tensor
        self.lora_b: Tensor
        self.register_buffer("lora_a", lora_a.to(weight), persistent=False)
        self.register_buffer("lora_b", (lora_b.float() * scale).to(weight).t().contiguous(), persistent=False)
        self._switch = switch

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (rows, new, width)."""
        product: Tensor = self.base(hidden)
        outputs = self.lora_b.shape[1]
        brought_along = product.shape[-1] > outputs
        output = product[..., :outputs] if brought_along else product
        rows = self._switch.rows
        if rows:
            low = product[:rows, :, outputs:] if brought_along else F.linear(hidden[:rows], self.lora_a)
            output[:rows].flatten(0, 1).addmm_(low.flatten(0, 1), self.lora_b)
        return output


def attach_adapter(model: nn.Module, weights: Mapping[str, Tensor], scales: Mapping[str, float]) -> AdapterSwitch:
    """Wrap the linear maps that an adapter changes; until ``rows`` is set the model is unchanged.

    Args:
        model: The base model, which the adapter was checked against (``adapters.check_fits``); changed in place.
        weights: ``"<module>.lora_A"`` and ``"<module>.lora_B"`` for each changed module,
            of shapes (rank, in) and (out, rank).
        scales: For each changed module the factor of its update (alpha / rank).

    Raises:
        AdapterError: If another adapter is already attached.
    """
    if any(isinstance(module, LoraRows) for module in model.modules()):
        raise AdapterError("These weights carry an adapter already; load the model again to attach another one.")
    switch = AdapterSwitch()
    for name, scale in scales.items():
        parent_name, _, child = name.rpartition(".")
        base = model.get_submodule(name)
        assert isinstance(base, nn.Linear)
        wrapped = LoraRows(base, weights[f"{name}.lora_A"], weights[f"{name}.lora_B"], scale, switch)
        setattr(model.get_submodule(parent_name), child, wrapped)
    return switch
