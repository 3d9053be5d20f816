"""The divergences' values and their slopes by the student's logits, in closed form, for rows of log-probabilities.

Knows nothing about models or chunks; ``distillation`` has the same values as plain formulas.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cosec.training.alignment.settings import Divergence


def _reverse(student: Tensor, teacher: Tensor, skew: float) -> tuple[Tensor, Tensor, Tensor]:
    """D = Σ S (log S - log T); slope S (log S - log T - D)."""
    difference = torch.sub(student, teacher, out=teacher)
    return _from_student(student.exp_(), difference, difference)


def _forward(student: Tensor, teacher: Tensor, skew: float) -> tuple[Tensor, Tensor, Tensor]:
    """D = Σ T (log T - log S); slope S - T."""
    teacher_probs = teacher.exp()
    values = torch.linalg.vecdot(teacher_probs, teacher.sub_(student))
    probs = student.exp_()
    return values, probs, torch.sub(probs, teacher_probs, out=teacher)


def _skew_reverse(student: Tensor, teacher: Tensor, skew: float) -> tuple[Tensor, Tensor, Tensor]:
    """D = Σ S (log S - log M), M = skew·S + (1-skew)·T; dD/dS = log S - log M - skew·S/M, up to a constant."""
    mixed = torch.logaddexp(student + math.log(skew), teacher.add_(math.log1p(-skew)), out=teacher)
    difference = torch.sub(student, mixed, out=mixed)
    return _from_student(student.exp_(), difference, difference - skew * difference.exp())


def _skew_forward(student: Tensor, teacher: Tensor, skew: float) -> tuple[Tensor, Tensor, Tensor]:
    """D = Σ T (log T - log M), M = skew·T + (1-skew)·S; dD/dS = -(1-skew)·T/M."""
    difference = teacher - torch.logaddexp(teacher + math.log(skew), student + math.log1p(-skew))
    values = torch.linalg.vecdot(teacher.exp_(), difference)
    _, probs, slope = _from_student(student.exp_(), difference, difference.exp_().mul_(skew - 1))
    return values, probs, slope


def _from_student(probs: Tensor, difference: Tensor, by_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Σ S·difference, S, and the slope S (g - Σ S g) by the logits, from that by the probabilities, in its place."""
    values = torch.linalg.vecdot(probs, difference)
    mean = torch.linalg.vecdot(probs, by_probs).unsqueeze(-1)
    return values, probs, by_probs.sub_(mean).mul_(probs)


SLOPES: dict[Divergence, Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor]]] = {
    "reverse-kl": _reverse,
    "forward-kl": _forward,
    "skew-reverse-kl": _skew_reverse,
    "skew-forward-kl": _skew_forward,
}
"""From both log-probabilities, which are overwritten: each row's divergence, S, and the slope by student logits."""
