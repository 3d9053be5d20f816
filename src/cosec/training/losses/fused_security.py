"""The losses of security training from hidden states, a few positions at a time.

The head of a small code model turns 400 positions into 400 x 49 152 logits; naive autograd keeps several such tables.
The head is frozen, so the gradient with respect to the student's hidden states has a closed form that each chunk of
positions gives at once. Equal to ``losses`` up to rounding, in value and gradient.

Axes: positions = predicted tokens, hidden = width of the model, vocab = entries of the head.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cosec.training.loop.fast_linear import product
from cosec.training.losses.security import ALMOST_CERTAIN, position_weights
from cosec.training.settings import KlDirection, Reduction

MarkedLoss = Literal["security", "unlikelihood"]
"""Names of the losses of marked tokens."""

CHUNK = 128
"""Positions worked on at once: small enough for the processor's cache, large enough for full matrix speed."""

GPU_CHUNK = 2048
"""The same on a GPU, where each chunk costs the time of starting its kernels."""


class _FusedLosses(torch.autograd.Function):
    """Value of both losses, and their gradients with respect to the student's hidden states, in one pass."""

    @staticmethod
    def forward(
        ctx: Any,
        student_hidden: Tensor,
        reference_hidden: Tensor,
        head_weight: Tensor,
        head_bias: Tensor | None,
        targets: Tensor,
        changed: Tensor,
        weights: Tensor,
        direction: KlDirection,
    ) -> tuple[Tensor, Tensor]:
        gradient = torch.zeros_like(student_hidden)
        security = torch.zeros((), dtype=torch.float32, device=student_hidden.device)
        functional = torch.zeros_like(security)
        for rows in torch.split(changed.nonzero().squeeze(-1), _chunk(changed)):
            values, slope = _security_chunk(
                product(student_hidden[rows], head_weight, head_bias).float(), targets[rows]
            )
            security += (values * weights[rows]).sum()
            slope = slope.mul_(weights[rows, None]).to(head_weight.dtype)
            gradient[rows] = product(slope, head_weight.t())
        for rows in torch.split((~changed).nonzero().squeeze(-1), _chunk(changed)):
            values, slope = _functional_chunk(
                product(student_hidden[rows], head_weight, head_bias).float(),
                product(reference_hidden[rows], head_weight, head_bias).float(),
                direction,
            )
            functional += (values * weights[rows]).sum()
            slope = slope.mul_(weights[rows, None]).to(head_weight.dtype)
            gradient[rows] = product(slope, head_weight.t())
        ctx.save_for_backward(gradient, changed)
        return security, functional

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradient, changed = ctx.saved_tensors
        scale = torch.where(changed, upstream[0], upstream[1]).unsqueeze(-1).to(gradient.dtype)
        return gradient * scale, None, None, None, None, None, None, None


class _FusedMarked(torch.autograd.Function):
    """Value of a loss of the marked tokens, and its gradient with respect to the hidden states, in one pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head_weight: Tensor,
        head_bias: Tensor | None,
        targets: Tensor,
        marked: Tensor,
        weights: Tensor,
        measure: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    ) -> Tensor:
        gradient = torch.zeros_like(hidden)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for rows in torch.split(marked.nonzero().squeeze(-1), _chunk(marked)):
            values, slope = measure(product(hidden[rows], head_weight, head_bias).float(), targets[rows])
            loss += (values * weights[rows]).sum()
            if not ctx.needs_input_grad[0]:
                continue
            slope = slope.mul_(weights[rows, None]).to(head_weight.dtype)
            gradient[rows] = product(slope, head_weight.t())
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None, None, None, None, None


def _chunk(positions: Tensor) -> int:
    return CHUNK if positions.device.type == "cpu" else GPU_CHUNK


def _unlikelihood_chunk(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-log(1 - p) of each row, p = S(target), and its slope by the logits. Overwrites ``logits``.

    The slope is p at the target and -S·p / (1 - p) elsewhere, which is S·(-p / (1 - p)) plus p / (1 - p) at the target.
    """
    probs = logits.softmax(-1)
    chosen = probs.gather(-1, targets.unsqueeze(-1))
    inside = (chosen <= ALMOST_CERTAIN).float()
    odds = inside * chosen / (1 - chosen.clamp(max=ALMOST_CERTAIN))
    values = -torch.log1p(-chosen.clamp(max=ALMOST_CERTAIN)).squeeze(-1)
    slope = probs.mul_(-odds)
    slope.scatter_add_(-1, targets.unsqueeze(-1), odds)
    return values, slope


def _security_chunk(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-log S(target) of each row and its slope by the logits: S minus the one-hot target. Overwrites ``logits``."""
    log_probs = logits.sub_(logits.logsumexp(-1, keepdim=True))
    values = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    slope = log_probs.exp_()
    slope[torch.arange(len(targets), device=targets.device), targets] -= 1.0
    return values, slope


def _functional_chunk(student: Tensor, reference: Tensor, direction: KlDirection) -> tuple[Tensor, Tensor]:
    """The divergence of each row and its slope by the student's logits. Overwrites both tables.

    Reverse: D = Σ S (log S - log B), slope S (log S - log B - D). Forward: D = Σ B (log B - log S), slope S - B.
    """
    student.sub_(student.logsumexp(-1, keepdim=True))
    reference.sub_(reference.logsumexp(-1, keepdim=True))
    probs = student.exp()
    if direction == "reverse":
        difference = student.sub_(reference)
        values = torch.linalg.vecdot(probs, difference)
        return values, difference.sub_(values.unsqueeze(-1)).mul_(probs)
    reference_probs = reference.exp()
    values = torch.linalg.vecdot(reference_probs, reference.sub_(student))
    return values, probs.sub_(reference_probs)


_MARKED_CHUNKS: Mapping[MarkedLoss, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "security": _security_chunk,
    "unlikelihood": _unlikelihood_chunk,
}


def fused_losses(
    student_hidden: Float[Tensor, "positions hidden"],
    reference_hidden: Float[Tensor, "positions hidden"],
    *,
    head_weight: Float[Tensor, "vocab hidden"],
    head_bias: Float[Tensor, "vocab"] | None,
    targets: Int[Tensor, "positions"],
    changed: Bool[Tensor, "positions"],
    direction: KlDirection = "reverse",
    reduction: Reduction = "mean",
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Security loss and functional loss of one example (paper Eq. 6 and 7), without ever holding all the logits.

    Args:
        student_hidden: Last hidden states of the model being trained.
        reference_hidden: Those of the same model without its adapter.
        head_weight: Of the frozen head, the same for both.
        head_bias: Of the head, or None.
        targets: The tokens that follow.
        changed: True where the token that follows belongs to the change.
        direction: Of the divergence, see ``losses.functional_loss``.
        reduction: ``mean`` or ``sum`` over the positions of each kind.

    Returns:
        The two scalars, float32; only ``student_hidden`` receives a gradient.
    """
    weights = position_weights(changed, reduction=reduction)
    losses: tuple[Tensor, Tensor] = _FusedLosses.apply(  # type: ignore[no-untyped-call]
        student_hidden, reference_hidden, head_weight, head_bias, targets, changed, weights, direction
    )
    return losses


def fused_marked_loss(
    kind: MarkedLoss,
    hidden: Float[Tensor, "positions hidden"],
    *,
    head_weight: Float[Tensor, "vocab hidden"],
    head_bias: Float[Tensor, "vocab"] | None,
    targets: Int[Tensor, "positions"],
    marked: Bool[Tensor, "positions"],
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """A loss of the marked tokens of one function, without ever holding all the logits.

    Args:
        kind: ``security``, the negative log likelihood as ``losses.security_loss`` gives it, or ``unlikelihood``, as
            ``losses.unlikelihood_loss`` does.
        hidden: Last hidden states of a model.
        head_weight: Of the frozen head.
        head_bias: Of the head, or None.
        targets: The tokens that follow.
        marked: True where the token that follows takes part.
        reduction: ``mean`` or ``sum`` over these positions.

    Returns:
        A float32 scalar.
    """
    weights = position_weights(marked, reduction=reduction)
    loss: Tensor = _FusedMarked.apply(  # type: ignore[no-untyped-call]
        hidden, head_weight, head_bias, targets, marked, weights, _MARKED_CHUNKS[kind]
    )
    return loss
