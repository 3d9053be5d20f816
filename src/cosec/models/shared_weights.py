"""One set of weights, two models: the target and the target plus a LoRA adapter.

``attach_adapter`` puts a :class:`LoraRows` around every linear map the adapter changes. In a batched forward the
adapter then acts on the leading rows only, as many as ``AdapterSwitch.rows`` says; the remaining rows are the
unchanged base model, bit for bit the same operations. So one forward over ``[security rows, target rows]`` serves
both models and the weights are held once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own habit
from torch import Tensor, nn

from cosec.errors import AdapterError

_READ_ALIKE = (frozenset({"q_proj", "k_proj", "v_proj"}), frozenset({"gate_proj", "up_proj"}))
"""Maps of one parent that read the same input, one after the other."""


@dataclass(slots=True)
class AdapterSwitch:
    """How many leading rows of the next forward go through the adapter."""

    rows: int = 0


class LowRank(nn.Module):
    """The first product of LoRA, ``A x``, of all maps that read the same input: computed for the first that asks."""

    def __init__(self, lora_a: Sequence[Tensor]) -> None:
        super().__init__()
        self.lora_a: Tensor
        self.register_buffer("lora_a", torch.cat(list(lora_a)), persistent=False)
        self._ranks = [one.shape[0] for one in lora_a]
        self._input: Tensor | None = None
        self._waiting: dict[int, Tensor] = {}

    def of(self, hidden: Tensor, rows: int, member: int) -> Tensor:
        """``A x`` of one member for the leading rows, shape (rows * new, rank)."""
        if hidden is not self._input or member not in self._waiting:
            low = F.linear(hidden[:rows].flatten(0, 1), self.lora_a)
            self._input, self._waiting = hidden, dict(enumerate(torch.split_with_sizes(low, self._ranks, dim=-1)))
        found = self._waiting.pop(member)
        if not self._waiting:
            self._input = None  # a prompt's hidden states are not kept
        return found


class LoraRows(nn.Module):
    """A linear map whose leading rows get ``scale · B A x`` added."""

    def __init__(
        self, base: nn.Linear, low: LowRank, member: int, lora_b: Tensor, scale: float, switch: AdapterSwitch
    ) -> None:
        super().__init__()
        self.base = base
        self.low = low
        self._member = member
        self.lora_b: Tensor
        self.register_buffer("lora_b", (lora_b.float() * scale).to(base.weight).t().contiguous(), persistent=False)
        self._switch = switch

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (rows, new, width)."""
        output: Tensor = self.base(hidden)
        rows = self._switch.rows
        if rows:
            output[:rows].flatten(0, 1).addmm_(self.low.of(hidden, rows, self._member), self.lora_b)
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
    for names in _read_alike(scales):
        bases = [base for name in names if isinstance(base := model.get_submodule(name), nn.Linear)]
        low = LowRank([weights[f"{name}.lora_A"].to(base.weight) for name, base in zip(names, bases, strict=True)])
        for member, (name, base) in enumerate(zip(names, bases, strict=True)):
            wrapped = LoraRows(base, low, member, weights[f"{name}.lora_B"], scales[name], switch)
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, wrapped)
    return switch


def _read_alike(names: Iterable[str]) -> list[list[str]]:
    """The maps, those together that read the same input."""
    groups: dict[tuple[str, frozenset[str]], list[str]] = {}
    for name in names:
        parent, _, child = name.rpartition(".")
        alike = next((kind for kind in _READ_ALIKE if child in kind), frozenset({child}))
        groups.setdefault((parent, alike), []).append(name)
    return list(groups.values())
