from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.rules.threshold import ThresholdRule
from cosec.decoding.rules.verification import Rule
from cosec.decoding.settings import SamplingSettings
from cosec.errors import VocabularyMismatch
from tests.decoding import law

ROWS, K, VOCABULARY = 3, 4, 7
TEMPERATURE, TOP_P = 0.7, 0.85


def rule(preset: str, threshold: float, temperature: float = TEMPERATURE) -> ThresholdRule:
    return ThresholdRule(
        ThresholdSettings(preset=preset, threshold=threshold),
        SamplingSettings(temperature=temperature, top_p=TOP_P),
    )


def random_logits(seed: int, k: int = K) -> Tensor:
    return torch.randn(ROWS, k, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 2


def draft_from(security: Tensor, seed: int = 0) -> Draft:
    """A draft of tokens that the warped security distribution can produce."""
    token_ids, probs = torch.zeros(security.shape[:2], dtype=torch.long), torch.zeros(security.shape[:2])
    generator = torch.Generator().manual_seed(seed)
    for row in range(security.shape[0]):
        for index in range(security.shape[1]):
            warped = torch.tensor(law.warped(security[row, index].double().numpy(), TEMPERATURE, TOP_P))
            token_ids[row, index] = torch.multinomial(warped, 1, generator=generator)[0]
            probs[row, index] = warped[token_ids[row, index]]
    return Draft(token_ids=token_ids, security_log_probs=security.log_softmax(-1), proposal_probs=probs)


def expected_ratio(security: Tensor, target: Tensor, token: int, preset: str) -> float:
    views = {}
    for name, logits in (("security", security), ("target", target)):
        vector = logits.double().numpy()
        views[name] = {"raw": law.raw(vector), "warped": law.warped(vector, TEMPERATURE, TOP_P)}
    target_ratio, security_ratio, _ = law.PRESETS[preset]
    return min(1.0, float(views["target"][target_ratio][token] / views["security"][security_ratio][token]))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    lower=st.floats(0, 1.2),
    higher=st.floats(0, 1.2),
    preset=st.sampled_from(sorted(law.PRESETS)),
)
def test_raising_the_threshold_never_accepts_more_of_a_draft(
    seed: int, lower: float, higher: float, preset: str
) -> None:
    lower, higher = sorted((lower, higher))
    draft = draft_from(random_logits(seed), seed)
    target = random_logits(seed + 1).log_softmax(-1)
    counts = [rule(preset, threshold).verify(draft, target).accepted_count for threshold in (lower, higher)]
    assert bool((counts[1] <= counts[0]).all())


@settings(deadline=None, derandomize=True, max_examples=100)
@given(seed=st.integers(0, 10**6), threshold=st.floats(0, 1), preset=st.sampled_from(sorted(law.PRESETS)))
def test_the_accepted_tokens_are_the_longest_run_that_stands_from_the_start(
    seed: int, threshold: float, preset: str
) -> None:
    verdict = rule(preset, threshold).verify(draft_from(random_logits(seed), seed), random_logits(seed + 1))
    for count, ratios in zip(verdict.accepted_count.tolist(), verdict.acceptance_ratios, strict=True):
        standing = [bool(ratio > threshold) for ratio in ratios]
        assert all(standing[:count])
        assert count == K or not standing[count]


@pytest.mark.parametrize("preset", sorted(law.PRESETS))
@pytest.mark.parametrize("seed", range(5))
def test_ratios_follow_the_plain_formula_of_each_preset(preset: str, seed: int) -> None:
    security, target = random_logits(seed), random_logits(seed + 100)
    draft = draft_from(security, seed)
    ratios = rule(preset, 0.3).verify(draft, target.log_softmax(-1)).acceptance_ratios
    for row in range(ROWS):
        for index in range(K):
            token = int(draft.token_ids[row, index])
            expected = expected_ratio(security[row, index], target[row, index], token, preset)
            assert float(ratios[row, index]) == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("preset", sorted(law.PRESETS))
def test_the_fallback_is_the_target_as_the_preset_says(preset: str) -> None:
    logits = random_logits(3)[:, 0]
    dense = rule(preset, 0.3).fallback(Position(target_log_probs=logits.log_softmax(-1))).dense(VOCABULARY)
    for row in range(ROWS):
        vector = logits[row].double().numpy()
        plain = law.raw(vector) if law.PRESETS[preset][2] == "raw" else law.warped(vector, TEMPERATURE, TOP_P)
        torch.testing.assert_close(dense[row].double(), torch.tensor(plain), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("preset", sorted(law.PRESETS))
def test_proposals_come_from_the_warped_security_model_in_every_preset(preset: str) -> None:
    logits = random_logits(4)[:, 0]
    dense = rule(preset, 0.3).proposal(logits.log_softmax(-1)).dense(VOCABULARY)
    for row in range(ROWS):
        plain = law.warped(logits[row].double().numpy(), TEMPERATURE, TOP_P)
        torch.testing.assert_close(dense[row].double(), torch.tensor(plain), rtol=1e-5, atol=1e-7)


def test_a_ratio_equal_to_the_threshold_is_rejected() -> None:
    security, target = random_logits(8, k=1), random_logits(9, k=1)
    draft = draft_from(security)
    ratios = rule("paper", 0.0).verify(draft, target.log_softmax(-1)).acceptance_ratios.flatten().tolist()
    row = min(range(ROWS), key=ratios.__getitem__)
    assert 0 < ratios[row] < 1
    for threshold, accepted in ((ratios[row], 0), (ratios[row] * (1 - 1e-6), 1)):
        verdict = rule("paper", threshold).verify(draft, target.log_softmax(-1))
        assert int(verdict.accepted_count[row]) == accepted


def test_a_ratio_is_clipped_at_one_so_that_threshold_one_accepts_nothing() -> None:
    security = random_logits(5)
    draft = draft_from(security)
    sure = torch.full_like(security, -30.0).scatter(-1, draft.token_ids.unsqueeze(-1), 0.0).log_softmax(-1)
    assert rule("paper", 0.999).verify(draft, sure).accepted_count.tolist() == [K] * ROWS
    verdict = rule("paper", 1.0).verify(draft, sure)
    assert verdict.accepted_count.tolist() == [0] * ROWS
    assert verdict.acceptance_ratios.unique().tolist() == [1.0]


def test_a_token_that_the_warped_target_cut_is_rejected_even_at_threshold_zero() -> None:
    security = torch.zeros(1, 1, VOCABULARY)
    target = torch.tensor([[[9.0, 0, 0, 0, 0, 0, 0]]])
    draft = Draft(
        token_ids=torch.tensor([[3]]), security_log_probs=security.log_softmax(-1), proposal_probs=torch.tensor([[0.2]])
    )
    verdict = rule("warped", 0.0).verify(draft, target.log_softmax(-1))
    assert verdict.accepted_count.tolist() == [0]
    assert verdict.acceptance_ratios.tolist() == [[0.0]]
    assert rule("paper", 0.0).verify(draft, target.log_softmax(-1)).accepted_count.tolist() == [1]


@pytest.mark.parametrize("preset", sorted(law.PRESETS))
def test_temperature_zero_gives_finite_ratios(preset: str) -> None:
    security, target = random_logits(6).log_softmax(-1), random_logits(7).log_softmax(-1)
    draft = Draft(token_ids=security.argmax(-1), security_log_probs=security, proposal_probs=torch.ones(ROWS, K))
    ratios = rule(preset, 0.3, temperature=0.0).verify(draft, target).acceptance_ratios
    assert all(math.isfinite(ratio) and 0 <= ratio <= 1 for ratio in ratios.flatten().tolist())
    if preset == "warped":
        assert torch.equal(ratios, (target.argmax(-1) == draft.token_ids).float())


@pytest.mark.parametrize("shape", [(ROWS, K, VOCABULARY + 1), (ROWS, K, VOCABULARY - 1)])
def test_scores_over_another_vocabulary_are_refused_naming_both_shapes(shape: tuple[int, ...]) -> None:
    draft = draft_from(random_logits(0))
    with pytest.raises(VocabularyMismatch, match=r"\(3, 4, \d\).*\(3, 4, 7\)"):
        rule("paper", 0.3).verify(draft, torch.zeros(shape))


def test_the_threshold_rule_is_a_rule() -> None:
    assert isinstance(rule("paper", 0.3), Rule)
