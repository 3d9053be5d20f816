"""Linear maps packed for decoding on a processor: the same products, with weights laid out for a few rows at a time.

torch multiplies float32 matrices on a processor with MKL, which repacks the whole weight matrix on every call with
two to fifty rows: a step over two rows then costs about twice a step over one. oneDNN, which torch ships as well,
takes weights that were packed once. ``torch.compile`` uses the same operators; they are private to torch, so their
presence and result are checked before use.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own habit
from torch import Tensor, nn

from cosec.models.loading.host_memory import give_back_free_memory
from cosec.runtime.torch.cpu.mapped_pages import drop_pages, mapped_ranges
from cosec.runtime.torch.lora_rows import LoraRows

_ROWS = 256
"""Row count the layout is chosen for; measured best of 1, 8, 32, 64 and 256 for one row as well as for fifty."""
_BLOCK, _VECTOR = 64, 16
"""Outputs that oneDNN computes together, and numbers in a vector register."""


class PackedLinear(nn.Module):
    """A frozen linear map with packed weights; for inference only."""

    def __init__(self, base: nn.Linear, beside: Tensor | None = None) -> None:
        """Pack a map.

        Args:
            base: The map.
            beside: Another map of the same input, shape (more, in_features), for one product with both.
        """
        super().__init__()
        weight = base.weight.detach() if beside is None else torch.cat([base.weight.detach(), beside])
        self.in_features, self.out_features = base.in_features, len(weight)
        width = _width(self.out_features)
        self._padded = width > self.out_features
        if self._padded:
            weight = F.pad(weight, (0, 0, 0, width - self.out_features))
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        bias = base.bias
        self.bias = bias if bias is None else F.pad(bias.detach(), (0, width - base.out_features))

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (…, in_features). The outputs of ``beside`` come after the base's."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self._packed, self.bias, "none", [], "")
        return product[..., : self.out_features] if self._padded else product


def _width(outputs: int) -> int:
    """How many outputs a packed map has, zeros after its own included.

    oneDNN hands its threads blocks of outputs. Where two threads have an odd number of blocks to share and 43 rows or
    more, it divides the rows instead: each thread reads all weights, and where the two do not keep step, so does the
    memory. The beginning of one more block costs less.
    """
    blocks = -(-outputs // _BLOCK)
    return outputs if blocks % 2 == 0 else blocks * _BLOCK + _VECTOR


@cache
def packing_works() -> bool:
    """Whether this torch build packs weights and multiplies with them correctly."""
    try:
        base = nn.Linear(24, 40)
        hidden = torch.randn(3, 24)
        with torch.inference_mode():
            return torch.allclose(PackedLinear(base)(hidden), base(hidden), atol=1e-4)
    except (AttributeError, RuntimeError):
        return False


def pack_linears(model: nn.Module) -> int:
    """Replace every float32 linear map on the processor by a packed one; the number replaced.

    The model then serves inference only: its weights can be neither trained nor saved any more.
    """
    if not packing_works():
        return 0
    replaced, ranges = 0, mapped_ranges()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child.weight.device.type == "cpu" and child.weight.dtype == torch.float32:
                beside = parent.lora_a if isinstance(parent, LoraRows) else None
                setattr(parent, name, PackedLinear(child, beside))
                drop_pages(child.weight, ranges)
                replaced += 1
    if replaced:
        give_back_free_memory()  # what was put together to be packed
    return replaced
