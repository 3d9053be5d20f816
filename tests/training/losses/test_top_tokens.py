import math

import pytest
import torch

from cosec.training.losses.distillation import divergence
from cosec.training.losses.top_tokens import TopTokens, tail_of


def test_reverse_kl_over_the_outcomes_worked_out_by_hand() -> None:
    # Teacher 1/2, 1/4 kept, 1/4 for the rest; student 1/4, 1/4, and 1/2 on two others.
    stored = TopTokens(
        token_ids=torch.tensor([[2, 0]]),
        log_probs=torch.tensor([[0.5, 0.25]]).log(),
        tail=torch.tensor([0.25]).log(),
    )
    student = stored.coarsen(torch.tensor([[0.25, 0.25, 0.25, 0.25]]).log())
    reverse = divergence(student, stored.outcomes, kind="reverse-kl").item()
    forward = divergence(student, stored.outcomes, kind="forward-kl").item()
    assert reverse == pytest.approx(0.25 * math.log(0.5) + 0.25 * math.log(1) + 0.5 * math.log(2), abs=1e-6)
    assert forward == pytest.approx(0.5 * math.log(2) + 0.25 * math.log(1) + 0.25 * math.log(0.5), abs=1e-6)


def test_a_tail_far_below_the_rounding_of_one_is_kept_and_nothing_is_changed() -> None:
    log_probs = torch.tensor([[0.0, -30.0, -31.0, -90.0]])
    before = log_probs.clone()
    tail = tail_of(log_probs, torch.tensor([[0]]))
    assert tail.item() == pytest.approx(math.log(math.exp(-30) + math.exp(-31)), rel=1e-6)
    assert torch.equal(log_probs, before)


def test_rounded_values_are_normalised() -> None:
    stored = TopTokens(
        token_ids=torch.tensor([[0, 1]]), log_probs=torch.tensor([[-0.71, -0.71]]), tail=torch.tensor([-3.0])
    )
    assert stored.outcomes.exp().sum().item() == pytest.approx(1, abs=1e-6)
