"""Directions are pinned by numbers worked out by hand: swapping student and teacher, or the two KLs, fails."""

import math

import pytest
import torch

from cosec.training.alignment.settings import Divergence
from cosec.training.losses.distillation import cross_entropy, divergence

STUDENT, TEACHER = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()

# KL(S ‖ T) = ½ ln(½/0.9) + ½ ln(½/0.1) = ½ ln(25/9)
REVERSE = 0.5108256
# KL(T ‖ S) = 0.9 ln(0.9/½) + 0.1 ln(0.1/½)
FORWARD = 0.3680642
# M = 0.1·(½, ½) + 0.9·(0.9, 0.1) = (0.86, 0.14); ½ ln(½/0.86) + ½ ln(½/0.14)
SKEW_REVERSE = 0.3653208
# M = 0.1·(0.9, 0.1) + 0.9·(½, ½) = (0.54, 0.46); 0.9 ln(0.9/0.54) + 0.1 ln(0.1/0.46)
SKEW_FORWARD = 0.3071374

BY_HAND = {
    "reverse-kl": REVERSE,
    "forward-kl": FORWARD,
    "skew-reverse-kl": SKEW_REVERSE,
    "skew-forward-kl": SKEW_FORWARD,
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_each_divergence_has_the_value_worked_out_by_hand(kind: Divergence) -> None:
    # Logits are log-probabilities up to a constant, another one for each model.
    value = divergence(STUDENT + 3, TEACHER - 7, kind=kind, skew=0.1)
    assert value.tolist() == pytest.approx([BY_HAND[kind]], abs=1e-6)


@pytest.mark.parametrize("kind", BY_HAND)
def test_swapping_student_and_teacher_gives_another_value(kind: Divergence) -> None:
    swapped = divergence(TEACHER, STUDENT, kind=kind, skew=0.1)
    assert abs(swapped.item() - BY_HAND[kind]) > 0.05


def test_the_expectation_runs_over_the_vocabulary_and_not_over_the_observed_token() -> None:
    # The observed token's own term would be ln(½/0.9) < 0; a divergence is never negative.
    assert divergence(STUDENT, TEACHER, kind="reverse-kl").item() > 0


def test_reverse_kl_punishes_the_student_for_what_the_teacher_excludes_and_forward_kl_for_what_it_misses() -> None:
    teacher = torch.tensor([[0.5, 0.5 - 1e-6, 1e-6]]).log()
    one_mode = torch.tensor([[1 - 2e-6, 1e-6, 1e-6]]).log()
    spread = torch.full((1, 3), 1 / 3).log()
    reverse, forward = (
        [divergence(student, teacher, kind=kind).item() for student in (one_mode, spread)]
        for kind in ("reverse-kl", "forward-kl")
    )
    assert reverse[0] < reverse[1]
    assert forward[0] > forward[1]


@pytest.mark.parametrize("kind", BY_HAND)
def test_the_gradient_is_the_students_alone_and_agrees_with_finite_differences(kind: Divergence) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 7), torch.randn(3, 7, requires_grad=True)
    moved = student.clone().requires_grad_()
    (slope,) = torch.autograd.grad(divergence(moved, teacher.detach(), kind=kind, skew=0.3).sum(), moved)
    step = torch.zeros_like(student)
    step[1, 2] = 1e-2
    either = [divergence(student + sign * step, teacher, kind=kind, skew=0.3).sum().item() for sign in (1, -1)]
    assert slope[1, 2].item() == pytest.approx((either[0] - either[1]) / 2e-2, abs=1e-3)


@pytest.mark.parametrize("kind", BY_HAND)
def test_equal_models_have_no_divergence_and_no_slope(kind: Divergence) -> None:
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    student = logits.clone().requires_grad_()
    value = divergence(student, logits, kind=kind)
    (slope,) = torch.autograd.grad(value.sum(), student)
    assert value.abs().max() < 1e-6
    assert slope.abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["skew-reverse-kl", "skew-forward-kl"])
def test_a_skewed_divergence_is_bounded_where_the_models_exclude_each_other(kind: Divergence) -> None:
    student, teacher = torch.tensor([[200.0, -200.0]]), torch.tensor([[-200.0, 200.0]])
    assert divergence(student, teacher, kind=kind, skew=0.1).item() == pytest.approx(-math.log(0.1), abs=1e-4)


def test_half_precision_logits_are_summed_in_float32() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 5000).bfloat16(), torch.randn(2, 5000).bfloat16()
    for kind in ("reverse-kl", "forward-kl"):
        value = divergence(student, teacher, kind=kind)
        exact = divergence(student.double().float(), teacher.double().float(), kind=kind)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact)


def test_cross_entropy_is_minus_the_log_of_the_following_tokens_probability() -> None:
    found = cross_entropy(torch.cat([TEACHER, TEACHER]) + 5, torch.tensor([0, 1]))
    assert found.tolist() == pytest.approx([-math.log(0.9), -math.log(0.1)], abs=1e-6)


def test_none_is_no_divergence() -> None:
    with pytest.raises(ValueError, match="none"):
        divergence(STUDENT, TEACHER, kind="none")
