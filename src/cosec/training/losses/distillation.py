"""How far the student is from its teacher, and how well it predicts the text: alignment's losses as plain formulas.

These functions are the definition; ``fused_distillation`` computes the same a few positions at a time. Everything is
float32 and exact over the vocabulary that both models share. The paper's Eq. 3 has the sign reversed and only the
observed token; its text (after MiniLLM) says what is meant: the expectation over the whole vocabulary, taken here.

Axes: positions = predicted tokens, vocab = the entries that both models share.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.training.alignment.settings import Divergence


def divergence(
    student_logits: Float[Tensor, "positions vocab"],
    teacher_logits: Float[Tensor, "positions vocab"],
    *,
    kind: Divergence,
    skew: float = 0.1,
) -> Float[Tensor, "positions"]:
    """Divergence of the two next-token distributions at each position, in nats.

    Args:
        student_logits: Of the model being trained; receives the gradient.
        teacher_logits: Of the model it should follow.
        kind: Not ``none``.
        skew: Share of the first distribution in the mixture, for the skewed kinds; strictly between 0 and 1.

    Raises:
        ValueError: If ``kind`` is ``none``, which measures nothing.
    """
    student, teacher = student_logits.float().log_softmax(-1), teacher_logits.float().log_softmax(-1)
    if kind == "none":
        raise ValueError("the divergence 'none' has no value")
    first, second = (student, teacher) if kind in ("reverse-kl", "skew-reverse-kl") else (teacher, student)
    if kind in ("skew-reverse-kl", "skew-forward-kl"):
        second = torch.logaddexp(first + math.log(skew), second + math.log1p(-skew))
    return (first.exp() * (first - second)).sum(-1)


def cross_entropy(
    student_logits: Float[Tensor, "positions vocab"], targets: Int[Tensor, "positions"]
) -> Float[Tensor, "positions"]:
    """Negative log likelihood of the token that follows each position, in nats.

    Args:
        student_logits: Of the model being trained; receives the gradient.
        targets: The tokens that follow.
    """
    return -student_logits.float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
