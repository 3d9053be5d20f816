"""Float32 products by oneDNN, for training on a processor: the same numbers up to rounding, in less time.

torch multiplies float32 matrices on a processor with MKL. On an AMD processor with AVX-512, oneDNN, which torch ships
as well, was about twice as fast, forward and backward, without packing the weights first. ``torch.compile`` uses the
same operator; it is private to torch, so its presence and its result are checked before use.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from cosec.models.internals import onednn_product


class FastLinear(nn.Linear):
    """A linear map whose products run on oneDNN where that is possible; parameters and names are ``nn.Linear``'s."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the map; ``hidden`` is (…, in_features)."""
        if not _suits(hidden, self.weight) or torch.is_autocast_enabled("cpu"):
            return linear(hidden, self.weight, self.bias)
        result: Tensor = _Product.apply(hidden, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return result


def speed_up(model: nn.Module) -> None:
    """Let the model's linear maps multiply with oneDNN; where this torch build cannot, nothing changes.

    Args:
        model: Changed in place: plain ``nn.Linear`` modules become ``FastLinear``, their parameters stay the same.
    """
    if products_work():
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = FastLinear


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute rows · weightᵀ + bias in the type of ``weight``, under autocast too; without autograd.

    Args:
        rows: [rows, in].
        weight: [out, in]; may be a transposed view.
        bias: [out].
    """
    if _suits(rows, weight) and products_work():
        return onednn_product(rows, weight, bias)
    with torch.autocast(rows.device.type, enabled=False):
        return linear(rows, weight, None if bias is None else bias.to(weight.dtype))


class _Product(torch.autograd.Function):
    """``torch.nn.functional.linear``, and its three gradients."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        return onednn_product(hidden, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        hidden, weight = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad
        rows = upstream.reshape(-1, upstream.shape[-1])
        return (
            onednn_product(upstream, weight.t(), None) if needs_hidden else None,
            onednn_product(rows.t(), hidden.reshape(-1, hidden.shape[-1]).t(), None) if needs_weight else None,
            rows.sum(0) if needs_bias else None,
        )


def _suits(hidden: Tensor, weight: Tensor) -> bool:
    return hidden.device.type == "cpu" and hidden.dtype == weight.dtype == torch.float32 and hidden.numel() > 0


@cache
def products_work() -> bool:
    """Whether this torch build has oneDNN's product, and it is right for plain and for transposed weights."""
    try:
        hidden, weight = torch.linspace(-1, 1, 3 * 24).view(3, 24), torch.linspace(-2, 3, 40 * 24).view(40, 24)
        with torch.no_grad():
            return all(
                torch.allclose(onednn_product(hidden, each, None), hidden @ each.t(), atol=1e-4)
                for each in (weight, weight.t().contiguous().t())
            )
    except (AttributeError, RuntimeError):
        return False
