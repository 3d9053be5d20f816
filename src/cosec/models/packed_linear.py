"""Linear maps packed for decoding on a processor: the same products, with weights laid out for a few rows at a time.

torch multiplies float32 matrices on a processor with MKL, which repacks the whole weight matrix on every call with
two to fifty rows: a step over two rows then costs about twice a step over one. oneDNN, which torch ships as well,
takes weights that were packed once. ``torch.compile`` uses the same operators; they are private to torch, so their
presence and result are checked before use.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from cosec.models.mapped_pages import drop_pages, mapped_ranges

_ROWS = 256
"""Row count the layout is chosen for; measured best of 1, 8, 32, 64 and 256 for one row as well as for fifty."""


class PackedLinear(nn.Module):
    """A frozen linear map with packed weights; for inference only."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = base.in_features, base.out_features
        self.bias = base.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(base.weight.detach(), _ROWS)

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (…, in_features)."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self._packed, self.bias, "none", [], "")
        return product


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
                setattr(parent, name, PackedLinear(child))
                drop_pages(child.weight, ranges)
                replaced += 1
    return replaced
