"""Linear maps packed for decoding on a CPU: the same products from weights laid out for few rows at a time.

torch multiplies float32 matrices on a CPU with MKL, which repacks the whole weight on every call with 2 to 50 rows.
A step over two rows then costs about twice as much as a step over one. oneDNN, which ships with torch, takes weights
that were packed once. See ``docs/decisions/0006-packed-weights-on-a-processor.md``.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

from cosec.models.internals import onednn_product, pack_weight
from cosec.models.loading.host_memory import give_back_free_memory
from cosec.runtime.mapped_pages import drop_pages, mapped_ranges
from cosec.runtime.torch.lora_rows import LoraRows

_ROWS = 256
"""Row count that the layout is chosen for: of 1, 8, 32, 64 and 256 the fastest for one row as well as for fifty."""
_BLOCK, _VECTOR = 64, 16
"""Number of outputs that oneDNN computes together, and of values in a vector register."""


_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1}
"""Types that are packed, with the largest difference of a product of the test, whose values reach 20."""

_BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""Names in ``torch.cpu.get_capabilities`` of instructions that multiply bfloat16, on x86 and ARM."""


class PackedLinear(nn.Module):
    """A frozen linear map in float32 or bfloat16 with packed weights, for inference on a CPU."""

    def __init__(self, base: nn.Linear, beside: Tensor | None = None) -> None:
        """Pack a map.

        Args:
            base: The map.
            beside: Weight of a second map of the same input, shape (more, in); one product then computes both.
        """
        super().__init__()
        weight = base.weight.detach() if beside is None else torch.cat([base.weight.detach(), beside])
        self.in_features, self.out_features = base.in_features, len(weight)
        width = _padded_width(self.out_features)
        self._is_padded = width > self.out_features
        if self._is_padded:
            weight = F.pad(weight, (0, 0, 0, width - self.out_features))
        self._packed = pack_weight(weight, _ROWS)
        bias = base.bias
        self.bias = bias if bias is None else F.pad(bias.detach(), (0, width - base.out_features))

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map to inputs of shape (…, in).

        Returns:
            Shape (…, out), or (…, out + more) with the outputs of ``beside`` after those of the base.
        """
        product = onednn_product(hidden, self._packed, self.bias)
        return product[..., : self.out_features] if self._is_padded else product


def _padded_width(outputs: int) -> int:
    """Number of outputs of a packed map, including zeros after its own.

    oneDNN gives its threads blocks of outputs. With an odd number of blocks for two threads and 43 rows or more, it
    divides the rows instead, so that each thread reads all weights. Beginning one more block costs less.
    """
    blocks = -(-outputs // _BLOCK)
    return outputs if blocks % 2 == 0 else blocks * _BLOCK + _VECTOR


@cache
def packing_works(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this build of torch packs weights of a type and multiplies with them correctly.

    Where it does not, models keep their plain linear maps. torch's global random numbers are left alone.
    """
    try:
        base = nn.Linear(24, 40, device="meta", dtype=dtype).to_empty(device="cpu")
        with torch.inference_mode():
            for values, start in ((base.weight, -1.0), (base.bias, 2.0)):
                values.copy_(torch.linspace(start, 1.5, values.numel()).view(values.shape))
            hidden = torch.linspace(-2, 3, 3 * 24, dtype=dtype).view(3, 24)
            return torch.allclose(PackedLinear(base)(hidden), base(hidden), atol=_TOLERANCE[dtype])
    except (AttributeError, KeyError, RuntimeError):
        return False


def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products in bfloat16, so that they take less time than in float32.

    False where torch cannot tell.
    """
    try:
        found = torch.cpu.get_capabilities()
    except AttributeError:  # torch before 2.11
        return False
    return any(found.get(name, False) for name in _BFLOAT16_INSTRUCTIONS) and packing_works(torch.bfloat16)


def pack_linears(model: nn.Module) -> int:
    """Replace plain linear maps on the CPU, in float32 or bfloat16, by packed ones; packed maps stay.

    Afterwards the model is for inference only: its weights can be neither trained nor saved.

    Args:
        model: Changed in place.

    Returns:
        The number of maps replaced; maps stay where packing does not work.
    """
    replaced, ranges = 0, mapped_ranges()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child.weight.device.type == "cpu" and packing_works(child.weight.dtype):
                beside = parent.lora_a if isinstance(parent, LoraRows) else None
                setattr(parent, name, PackedLinear(child, beside))
                drop_pages(child.weight, ranges)
                replaced += 1
    if replaced:
        give_back_free_memory()  # copies that were padded or concatenated before they were packed
    return replaced
