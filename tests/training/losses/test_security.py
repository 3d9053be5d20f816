import math

import pytest
import torch

from cosec.training.losses.security import (
    functional_loss,
    position_weights,
    preference_loss,
    security_loss,
    unlikelihood_loss,
)

STUDENT = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
REFERENCE = torch.tensor([[0.25, 0.25, 0.5], [0.3, 0.3, 0.4], [0.2, 0.2, 0.6]])
TARGETS = torch.tensor([0, 2, 1])
CHANGED = torch.tensor([True, True, False])
NOTHING, EVERYTHING = torch.zeros(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 2), ("sum", 1)])
def test_security_loss_is_the_negative_log_likelihood_of_the_changed_tokens(reduction, divisor) -> None:
    loss = security_loss(STUDENT.log(), TARGETS, CHANGED, reduction=reduction)
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.7)) / divisor)


def test_reverse_divergence_weighs_by_the_student() -> None:
    expected = 0.6 * math.log(0.6 / 0.2) + 0.2 * math.log(0.2 / 0.2) + 0.2 * math.log(0.2 / 0.6)
    assert functional_loss(STUDENT.log(), REFERENCE.log(), CHANGED).item() == pytest.approx(expected)


def test_forward_divergence_weighs_by_the_reference() -> None:
    changed = torch.tensor([False, True, True])
    expected = 0.25 * math.log(0.25 / 0.5) + 0.25 * math.log(0.25 / 0.25) + 0.5 * math.log(0.5 / 0.25)
    loss = functional_loss(STUDENT.log(), REFERENCE.log(), changed, direction="forward")
    assert loss.item() == pytest.approx(expected)


def test_the_two_directions_differ() -> None:
    reverse, forward = (
        functional_loss(STUDENT.log(), REFERENCE.log(), NOTHING, direction=direction).item()
        for direction in ("reverse", "forward")
    )
    assert abs(reverse - forward) > 0.005


def test_functional_loss_adds_up_or_averages_the_unchanged_positions() -> None:
    total = functional_loss(STUDENT.log(), REFERENCE.log(), NOTHING, reduction="sum")
    mean = functional_loss(STUDENT.log(), REFERENCE.log(), NOTHING, reduction="mean")
    assert total.item() == pytest.approx(3 * mean.item())


def test_logits_need_not_be_normalised() -> None:
    shifted = STUDENT.log() + torch.tensor([[5.0], [-3.0], [1.0]])
    assert functional_loss(shifted, REFERENCE.log(), CHANGED).item() == pytest.approx(
        functional_loss(STUDENT.log(), REFERENCE.log(), CHANGED).item(), rel=1e-5
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_where_no_position_takes_part_the_loss_is_zero_and_has_a_gradient(reduction) -> None:
    logits = STUDENT.log().requires_grad_()
    loss = security_loss(logits, TARGETS, NOTHING, reduction=reduction) + functional_loss(
        logits, REFERENCE.log(), EVERYTHING, reduction=reduction
    )
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_reference_against_itself_costs_nothing() -> None:
    assert functional_loss(REFERENCE.log(), REFERENCE.log(), NOTHING).item() == pytest.approx(0, abs=1e-7)


def test_weights_make_a_mean_of_each_kind() -> None:
    assert position_weights(CHANGED, reduction="mean").tolist() == [0.5, 0.5, 1.0]
    assert position_weights(CHANGED, reduction="sum").tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 2), ("sum", 1)])
def test_unlikelihood_is_the_negative_log_of_not_writing_the_removed_tokens(reduction, divisor) -> None:
    loss = unlikelihood_loss(STUDENT.log(), TARGETS, CHANGED, reduction=reduction)
    assert loss.item() == pytest.approx(-(math.log(1 - 0.5) + math.log(1 - 0.7)) / divisor)


def test_unlikelihood_without_removed_tokens_is_zero_and_of_a_certain_token_finite() -> None:
    assert unlikelihood_loss(STUDENT.log(), TARGETS, NOTHING).item() == 0
    certain = torch.tensor([[100.0, 0.0, 0.0]], requires_grad=True)
    loss = unlikelihood_loss(certain, torch.tensor([0]), torch.tensor([True]))
    loss.backward()
    assert loss.item() == pytest.approx(20 * math.log(2), rel=1e-3)
    assert certain.grad is not None
    assert certain.grad.isfinite().all()


def test_a_preference_is_the_logistic_loss_of_what_training_gained_on_the_fix_over_the_vulnerable_side() -> None:
    """Fix: 0.2 became 0.5. Vulnerable function: 0.4 became 0.1. The odds 2.5 : 0.25 are raised to beta."""
    fixed, fixed_reference, vulnerable, vulnerable_reference = (-torch.tensor(p).log() for p in (0.5, 0.2, 0.1, 0.4))
    for beta in (0.5, 1.0, 2.0):
        loss = preference_loss(fixed, fixed_reference, vulnerable, vulnerable_reference, beta=beta)
        assert loss.item() == pytest.approx(math.log(1 + (0.25 / 2.5) ** beta), rel=1e-5)


def test_a_model_that_has_not_changed_has_no_preference() -> None:
    same, other = torch.tensor(1.3), torch.tensor(0.2)
    assert preference_loss(same, same, other, other, beta=3.0).item() == pytest.approx(math.log(2))


def test_a_preference_pulls_both_sides_apart_and_less_the_further_they_are() -> None:
    slopes = []
    for gained in (0.0, 1.0, 4.0):
        fixed, vulnerable = torch.tensor(-gained, requires_grad=True), torch.tensor(0.0, requires_grad=True)
        preference_loss(fixed, torch.tensor(0.0), vulnerable, torch.tensor(0.0), beta=2.0).backward()
        assert fixed.grad is not None
        assert vulnerable.grad is not None
        assert fixed.grad.item() == -vulnerable.grad.item() == pytest.approx(2.0 / (1 + math.exp(2.0 * gained)))
        slopes.append(fixed.grad.item())
    assert slopes == sorted(slopes, reverse=True)
