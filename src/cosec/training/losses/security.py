"""The two losses of security training as plain formulas: learn the changed tokens, leave every other token as it was.

These functions are the definition; ``fused_losses`` computes the same numbers without holding all the logits.
Everything is float32.

Axes: positions = predicted tokens, vocab = entries of the head.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from cosec.training.settings import KlDirection, Reduction

ALMOST_CERTAIN = 1 - 2.0**-20
"""Probabilities above this count as this one, so that the unlikelihood of a certain token is finite."""


def security_loss(
    student_logits: Float[Tensor, "positions vocab"],
    targets: Int[Tensor, "positions"],
    changed: Bool[Tensor, "positions"],
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """Negative log likelihood of the changed tokens (paper Eq. 6), in nats.

    Args:
        student_logits: Of the model being trained.
        targets: The tokens that follow.
        changed: True where the token that follows belongs to the change (m = 1).
        reduction: Over the changed positions.

    Returns:
        A scalar; zero where no token is changed.
    """
    chosen = student_logits[changed].float().log_softmax(-1).gather(-1, targets[changed].unsqueeze(-1))
    return _reduce(-chosen.squeeze(-1), reduction)


def functional_loss(
    student_logits: Float[Tensor, "positions vocab"],
    reference_logits: Float[Tensor, "positions vocab"],
    changed: Bool[Tensor, "positions"],
    *,
    direction: KlDirection = "reverse",
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """Divergence from the model before training at the unchanged tokens (paper Eq. 7), in nats, full vocabulary.

    Args:
        student_logits: Of the model being trained.
        reference_logits: Of the same model without its adapter.
        changed: The loss looks at the others (m = 0).
        direction: ``reverse`` is KL(student ‖ reference), ``forward`` is KL(reference ‖ student).
        reduction: Over the unchanged positions.

    Returns:
        A scalar; zero where every token is changed.
    """
    student = student_logits[~changed].float().log_softmax(-1)
    reference = reference_logits[~changed].float().log_softmax(-1)
    weighing, other = (student, reference) if direction == "reverse" else (reference, student)
    return _reduce((weighing.exp() * (weighing - other)).sum(-1), reduction)


def unlikelihood_loss(
    student_logits: Float[Tensor, "positions vocab"],
    targets: Int[Tensor, "positions"],
    removed: Bool[Tensor, "positions"],
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """Negative log probability of *not* writing the removed tokens (Welleck et al., ICLR 2020, Eq. 4), in nats.

    Args:
        student_logits: Of the model being trained, on the vulnerable function.
        targets: The tokens that follow.
        removed: True where the token that follows was taken away by the fix.
        reduction: Over the removed positions.

    Returns:
        A scalar; zero where no token was removed.
    """
    log_probs = student_logits[removed].float().log_softmax(-1)
    chosen = log_probs.gather(-1, targets[removed].unsqueeze(-1)).squeeze(-1)
    return _reduce(-torch.log1p(-chosen.exp().clamp(max=ALMOST_CERTAIN)), reduction)


def preference_loss(
    fixed: Float[Tensor, ""],
    fixed_reference: Float[Tensor, ""],
    vulnerable: Float[Tensor, ""],
    vulnerable_reference: Float[Tensor, ""],
    *,
    beta: float,
) -> Float[Tensor, ""]:
    """Negative log probability of preferring the fix to the vulnerable function (DPO, Rafailov et al., 2023, Eq. 7).

    The arguments are negative log likelihoods of the tokens in which the two functions differ, as ``security_loss``
    gives them: means or sums, in nats.

    Args:
        fixed: Of the changed tokens under the model being trained.
        fixed_reference: Of the same tokens under the model before training.
        vulnerable: Of the compared tokens of the vulnerable function under the model being trained.
        vulnerable_reference: Of the same tokens under the model before training.
        beta: Multiplies the difference inside the logistic function.

    Returns:
        A scalar; log 2 for the model before training.
    """
    return -logsigmoid(beta * ((fixed_reference - fixed) - (vulnerable_reference - vulnerable)))


def _reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Sum or mean; an empty selection gives a zero that still carries a gradient path."""
    total = values.sum()
    return total / max(values.numel(), 1) if reduction == "mean" else total


def position_weights(changed: Bool[Tensor, "positions"], *, reduction: Reduction) -> Float[Tensor, "positions"]:
    """The weight of each position in its own loss: 1 for sums, 1 / (number of positions of its kind) for means.

    Args:
        changed: True where the token that follows belongs to the change.
        reduction: As in the losses.
    """
    if reduction == "sum":
        return torch.ones_like(changed, dtype=torch.float32)
    marked = int(changed.sum())
    return torch.where(changed, 1.0 / max(marked, 1), 1.0 / max(changed.numel() - marked, 1))
