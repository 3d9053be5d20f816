"""The losses of alignment from hidden states, a few positions at a time.

One position of Qwen2.5-Coder has 151 936 logits, so 1024 of them take 620 MB, and autograd keeps several such tables.
Here the logits of a chunk of positions exist only while the chunk's loss and its slope by the logits are computed; what
remains are the gradients of the hidden states and, where the student's head is trained, of the head. The slopes have
closed forms, so both are exact and equal to those of ``distillation`` up to rounding. Memory does not grow with
positions times vocabulary.

Axes: positions = predicted tokens, hidden = width of a model, head = entries of its head, padding included, rows =
positions of one chunk, vocab = entries that both models share.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.training.alignment.settings import Divergence
from cosec.training.loop.fast_linear import product
from cosec.training.losses.distillation import divergence
from cosec.training.losses.divergence_slopes import SLOPES
from cosec.training.losses.top_tokens import TopTokens, tail_of

TABLE_BYTES = 16 * 2**20
"""Size of one chunk's table of float32 logits; three to six such tables exist at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What is minimised: ``weight`` · divergence + (1 - ``weight``) · cross-entropy."""

    kind: Divergence
    weight: float
    """λ, between 0 and 1; plays no part where ``kind`` is ``none``."""

    skew: float = 0.1
    """As for ``distillation.divergence``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """One model's hidden states and the linear head that turns them into logits."""

    hidden: Float[Tensor, "positions hidden"]
    weight: Float[Tensor, "head hidden"] | None
    """None where ``hidden`` holds the logits already."""

    bias: Float[Tensor, "head"] | None

    def logits(self, rows: slice, vocabulary: int) -> Tensor:
        """Float32 logits of some positions over the first ``vocabulary`` entries, cut off from autograd."""
        if self.weight is None:
            return self.hidden[rows, :vocabulary].detach().float().clone()
        bias = None if self.bias is None else self.bias[:vocabulary].detach()
        hidden = self.hidden[rows].detach().to(self.weight.dtype)
        return product(hidden, self.weight[:vocabulary].detach(), bias).float()


def distillation_losses(
    student: Projected,
    teacher: Projected | TopTokens | None,
    targets: Int[Tensor, "positions"],
    *,
    vocabulary: int,
    mixture: Mixture,
) -> tuple[Tensor, Tensor, Tensor]:
    """Means over the positions of the mixture, the cross-entropy and the divergence.

    Args:
        student: Receives the gradient, in its hidden states and wherever its head requires one.
        teacher: Positions as the student's; None only where ``mixture.kind`` is ``none``. Of a stored distribution all
            tokens outside the top are one outcome, to teacher and student alike, which makes every divergence a lower
            bound of the exact one.
        targets: The tokens that follow.
        vocabulary: Entries that both models share; the padding of wider heads is cut off.
        mixture: What to minimise.

    Returns:
        Three float32 scalars; the first is for ``backward``, the others are detached. The divergence is NaN where none
        is measured.
    """
    results: tuple[Tensor, Tensor, Tensor] = _Distillation.apply(  # type: ignore[no-untyped-call]
        student.hidden, student.weight, student.bias, student, teacher, targets, vocabulary, mixture
    )
    return results


@torch.no_grad()
def measure(
    student: Projected, teacher: Projected | TopTokens, targets: Int[Tensor, "positions"], *, vocabulary: int
) -> tuple[float, float, float]:
    """Mean cross-entropy, reverse KL and forward KL over the positions, in nats, without gradients."""
    sums = [0.0, 0.0, 0.0]
    for rows in _chunks(len(targets), vocabulary):
        student_log_probs = _normalised(student.logits(rows, vocabulary))
        sums[0] -= float(student_log_probs.gather(-1, targets[rows].unsqueeze(-1)).sum())
        if isinstance(teacher, TopTokens):
            chosen = teacher[rows]
            pair = chosen.coarsen(student_log_probs), chosen.outcomes
        else:
            pair = student_log_probs, _normalised(teacher.logits(rows, vocabulary))
        sums[1] += float(divergence(*pair, kind="reverse-kl").sum())
        sums[2] += float(divergence(*pair, kind="forward-kl").sum())
    return sums[0] / len(targets), sums[1] / len(targets), sums[2] / len(targets)


@torch.no_grad()
def top_tokens(teacher: Projected, *, vocabulary: int, count: int) -> TopTokens:
    """The ``count`` most likely tokens at each position and the mass of the others, for a cache.

    Args:
        teacher: Hidden states with the head.
        vocabulary: Entries that both models share; the others take no part in the mass.
        count: Below ``vocabulary``.
    """
    parts = []
    for rows in _chunks(len(teacher.hidden), vocabulary):
        log_probs = _normalised(teacher.logits(rows, vocabulary))
        values, token_ids = log_probs.topk(count, sorted=False)
        parts.append((token_ids, values, tail_of(log_probs, token_ids)))
    token_ids, values, tail = (torch.cat(part) for part in zip(*parts, strict=True))
    return TopTokens(token_ids=token_ids, log_probs=values, tail=tail)


class _Distillation(torch.autograd.Function):
    """Values and gradients in one pass; tensors that need gradients come first, as autograd wants them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        student: Projected,
        teacher: Projected | TopTokens | None,
        targets: Tensor,
        vocabulary: int,
        mixture: Mixture,
    ) -> tuple[Tensor, Tensor, Tensor]:
        _, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        hidden_gradient = torch.zeros_like(hidden)
        weight_gradient = torch.zeros_like(weight) if weight is not None and needs_weight else None
        bias_gradient = torch.zeros_like(bias) if bias is not None and needs_bias else None
        sums = torch.zeros(3, dtype=torch.float32, device=hidden.device)
        for rows in _chunks(len(targets), vocabulary):
            values, slope = _chunk(student, teacher, targets, rows, vocabulary, mixture)
            sums += values
            slope = slope.div_(len(targets)).to(hidden.dtype if weight is None else weight.dtype)
            if weight is None:
                hidden_gradient[rows, :vocabulary] = slope
                continue
            hidden_gradient[rows] = product(slope, weight[:vocabulary].t()).to(hidden.dtype)
            if weight_gradient is not None:
                weight_gradient[:vocabulary].addmm_(slope.T, hidden[rows].to(weight.dtype))
            if bias_gradient is not None:
                bias_gradient[:vocabulary] += slope.sum(0)
        ctx.gradients = (hidden_gradient, weight_gradient, bias_gradient)
        total, text, distance = sums / len(targets)
        ctx.mark_non_differentiable(text, distance)
        return total, text, distance

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        # In place: the head's gradient may be the largest tensor of the step, and nobody else holds it.
        scaled = [None if gradient is None else gradient.mul_(upstream[0]) for gradient in ctx.gradients]
        ctx.gradients = None
        return (*scaled, None, None, None, None, None)


def _chunk(
    student: Projected,
    teacher: Projected | TopTokens | None,
    targets: Tensor,
    rows: slice,
    vocabulary: int,
    mixture: Mixture,
) -> tuple[Tensor, Tensor]:
    """Sums over the rows of mixture, cross-entropy and divergence; the slope of the first by the student's logits."""
    student_log_probs = _normalised(student.logits(rows, vocabulary))
    chosen = targets[rows].unsqueeze(-1)
    text = -student_log_probs.gather(-1, chosen).sum()
    share = 1.0 if mixture.kind == "none" else 1 - mixture.weight
    if mixture.kind == "none" or teacher is None:
        total, distance, slope = text, torch.full_like(text, torch.nan), student_log_probs.exp_()
    else:
        if isinstance(teacher, TopTokens):
            values, slope = _stored_slope(student_log_probs, teacher[rows], mixture)
        else:
            teacher_log_probs = _normalised(teacher.logits(rows, vocabulary))
            values, probs, slope = SLOPES[mixture.kind](student_log_probs, teacher_log_probs, mixture.skew)
            slope = slope.mul_(mixture.weight).add_(probs, alpha=share)
        distance = values.sum()
        total = mixture.weight * distance + share * text
    # The cross-entropy's slope is S minus one at the token that followed.
    slope.scatter_add_(-1, chosen, torch.full_like(chosen, -share, dtype=slope.dtype))
    return torch.stack([total, text, distance]), slope


def _stored_slope(student: Tensor, teacher: TopTokens, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Each row's divergence over the coarse outcomes, and weight · its slope + share · S, in the place of ``student``.

    The tail's slope is divided among its tokens by their share of the student's tail.
    """
    coarse = teacher.coarsen(student)
    values, coarse_probs, coarse_slope = SLOPES[mixture.kind](coarse, teacher.outcomes, mixture.skew)
    mixed = coarse_slope.mul_(mixture.weight).add_(coarse_probs, alpha=1 - mixture.weight)
    per_probability = mixed[:, -1:] / coarse_probs[:, -1:].clamp_min(torch.finfo(mixed.dtype).tiny)
    return values, student.exp_().mul_(per_probability).scatter_(-1, teacher.token_ids, mixed[:, :-1])


def _normalised(logits: Tensor) -> Tensor:
    """Log-probabilities, in the place of the logits."""
    return logits.sub_(logits.logsumexp(-1, keepdim=True))


def _chunks(positions: int, vocabulary: int) -> list[slice]:
    """Cut the positions so that one chunk's table of logits has about ``TABLE_BYTES``."""
    rows = max(TABLE_BYTES // (4 * vocabulary), 1)
    return [slice(start, min(start + rows, positions)) for start in range(0, positions, rows)]
