from __future__ import annotations

import torch
from scipy.stats import kstest, pearsonr

from cosec.decoding.sampling.randomness import Role, sequence_key, uniforms

KEY = sequence_key(7, (1, 2, 3), 0)


def test_numbers_are_uniform_over_positions_and_over_samples() -> None:
    over_positions = uniforms([KEY] * 20_000, range(20_000), Role.PROPOSAL)
    over_samples = uniforms([sequence_key(7, (1, 2, 3), i) for i in range(20_000)], [0] * 20_000, Role.FALLBACK)
    for numbers in (over_positions, over_samples):
        assert float(numbers.min()) >= 0
        assert float(numbers.max()) < 1
        assert kstest(numbers.numpy(), "uniform").pvalue > 0.01
        assert len(numbers.unique()) == 20_000


def test_neighbouring_positions_and_the_two_roles_are_uncorrelated() -> None:
    proposal = uniforms([KEY] * 20_000, range(20_000), Role.PROPOSAL).numpy()
    fallback = uniforms([KEY] * 20_000, range(20_000), Role.FALLBACK).numpy()
    assert pearsonr(proposal, fallback).pvalue > 0.01
    assert pearsonr(proposal[:-1], proposal[1:]).pvalue > 0.01


def test_a_number_does_not_depend_on_the_batch_it_is_drawn_in() -> None:
    keys = [sequence_key(1, (5,), i) for i in range(4)]
    together = uniforms(keys, [3, 1, 4, 1], Role.PROPOSAL)
    alone = [float(uniforms([key], [place], Role.PROPOSAL)) for key, place in zip(keys, [3, 1, 4, 1], strict=True)]
    assert together.tolist() == alone
    assert uniforms(keys[::-1], [1, 4, 1, 3], Role.PROPOSAL).tolist() == alone[::-1]


def test_role_position_seed_sample_and_prompt_each_give_another_number() -> None:
    def number(
        seed: int = 0, prompt: tuple[int, ...] = (1, 2), sample: int = 0, position: int = 0, role: Role = Role.PROPOSAL
    ) -> float:
        return float(uniforms([sequence_key(seed, prompt, sample)], [position], role))

    numbers = [
        number(),
        number(role=Role.FALLBACK),
        number(position=1),
        number(seed=1),
        number(sample=1),
        number(prompt=(2, 1)),
        number(prompt=(1, 2, 0)),
        number(prompt=(0, 1, 2)),
        number(seed=1, sample=1),
    ]
    assert len(set(numbers)) == len(numbers)
    assert number() == numbers[0]


def test_known_numbers_stay_what_they_were() -> None:
    # A change here changes every text that any seed ever gave.
    assert KEY.hex() == "04529af047799592954b8b7a2e4dee9f"
    assert uniforms([KEY, KEY], [0, 1], Role.PROPOSAL).tolist() == [0.8240558210113781, 0.6940646141969283]
    assert uniforms([KEY], [0], Role.FALLBACK).tolist() == [0.39966800326557195]


def test_an_empty_batch_draws_nothing() -> None:
    assert uniforms([], [], Role.PROPOSAL).shape == torch.Size([0])
