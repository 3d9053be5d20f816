from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, Propose, Scores, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.draft import Position
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.rules.threshold import ThresholdRule
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from tests.decoding.law import PRESETS, law_at, logits_after, position_law
from tests.decoding.scripted import ScriptedModel, random_table
from tests.devices import DEVICES

VOCABULARY = 6
DRAWS_AND_LENGTHS = [
    pytest.param(draws, length, marks=() if (draws, length) == (10_000, 4) else pytest.mark.slow)
    for draws in (10_000, 100_000)
    for length in (1, 4)
]
"""Draws and draft lengths of the law tests. That the draft length changes no text is tested for each rule elsewhere."""
PROMPT = [1, 2]
SECURITY = random_table(VOCABULARY, 2, seed=11)
TARGET = random_table(VOCABULARY, 2, seed=12)
SAMPLING = {"temperature": 0.8, "top_p": 0.9}
THRESHOLD = 0.4


def settings(preset: str, draft_length: int, seed: int = 7, **sampling: float) -> DecodingSettings:
    return DecodingSettings(
        rule=ThresholdSettings(preset=preset, threshold=THRESHOLD),
        sampling=SamplingSettings(**{**SAMPLING, **sampling}, max_new_tokens=3, draft_length=draft_length, seed=seed),
    )


def draw(lanes: Lanes, chosen: DecodingSettings, draws: int) -> Tensor:
    """Token ids of shape (draws, 3)."""
    texts: list[list[int]] = []
    for start in range(0, draws, 2_000):
        requests = [
            SequenceRequest(prompt_ids=tuple(PROMPT), sample_index=start + i, max_new_tokens=3) for i in range(2_000)
        ]
        run = Run(lanes, rule_for(chosen), chosen, requests)
        batch: list[list[int]] = [[] for _ in requests]
        while emissions := run.step():
            for emission in emissions:
                batch[emission.sequence].extend(record.token_id for record in emission.records)
        texts.extend(batch)
    return torch.tensor(texts)


def expected(depth: int, preset: str, **sampling: float) -> np.ndarray:
    @cache
    def law(prefix: tuple[int, ...]) -> np.ndarray:
        return position_law(
            logits_after(SECURITY, list(prefix)),
            logits_after(TARGET, list(prefix)),
            preset=preset,
            threshold=THRESHOLD,
            **{**SAMPLING, **sampling},
        )

    return law_at(depth, PROMPT, lambda prefix: law(tuple(prefix)))


def p_value(tokens: Tensor, law: np.ndarray) -> float:
    counts = torch.bincount(tokens, minlength=VOCABULARY).numpy()
    possible = law > 0
    assert counts[~possible].sum() == 0, "a token without probability was emitted"
    if possible.sum() == 1:  # the law leaves no choice, and all tokens were the possible one
        return 1.0
    return float(chisquare(counts[possible], law[possible] * counts.sum()).pvalue)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("draws", "draft_length"), DRAWS_AND_LENGTHS)
def test_emitted_tokens_follow_the_closed_form_at_the_first_and_third_position(
    draws: int, preset: str, draft_length: int, device: str
) -> None:
    models = (ScriptedModel(table.to(device)) for table in (SECURITY, TARGET))
    tokens = draw(TwoModelLanes(*models), settings(preset, draft_length), draws)
    assert p_value(tokens[:, 0], expected(0, preset)) > 0.01
    assert p_value(tokens[:, 2], expected(2, preset)) > 0.01


CUTS = [{"top_k": 3}, {"min_p": 0.3}, {"top_k": 4, "min_p": 0.1, "top_p": 0.7}]


@pytest.mark.parametrize(
    ("cut", "preset", "draft_length"),
    [  # by default every pair of a cut, a preset and a draft length
        pytest.param(cut, preset, draft_length, marks=() if (row + column + shift) % 2 else pytest.mark.slow)
        for row, cut in enumerate(CUTS)
        for column, preset in enumerate(PRESETS)
        for shift, draft_length in enumerate([1, 4])
    ],
)
def test_top_k_and_min_p_enter_the_law_wherever_top_p_does(
    cut: dict[str, float], preset: str, draft_length: int
) -> None:
    law, uncut = expected(2, preset, **cut), expected(2, preset)
    lanes = TwoModelLanes(ScriptedModel(SECURITY), ScriptedModel(TARGET))
    tokens = draw(lanes, settings(preset, draft_length, **cut), 4_000)
    assert p_value(tokens[:, 2], law) > 0.01
    assert p_value(tokens[:, 2], uncut) < 1e-4, "the draws tell whether there is a cut"


class _LanesWithBonusToken(TwoModelLanes):
    """Deliberately wrong: the last token of every draft comes from the target, as speculative decoding's bonus token
    does.
    """

    def advance(self, pending: Tensor, k: int, propose: Propose) -> Scores:
        fed, inputs, security, target = pending, [], [], []
        for index in range(k):
            inputs.append(fed)
            security.append(self._security.advance(fed.unsqueeze(1)).log_softmax(dim=-1))
            target.append(self._target.advance(fed.unsqueeze(1)).log_softmax(dim=-1))
            if index == k - 1:
                security[-1] = target[-1]
            fed = propose(security[-1][:, 0], index)
        return Scores(target_log_probs=torch.cat(target, 1), security_log_probs=torch.cat(security, 1))

    def prefill(self, prompts: object) -> _LanesWithBonusToken:
        return _LanesWithBonusToken(self._security.prefill(prompts), self._target.prefill(prompts))


def test_a_bonus_token_breaks_the_law_and_is_noticed() -> None:
    wrong = draw(_LanesWithBonusToken(ScriptedModel(SECURITY), ScriptedModel(TARGET)), settings("paper", 3), 6_000)
    assert p_value(wrong[:, 2], expected(2, "paper")) < 1e-6


def test_a_fallback_sharper_than_the_target_breaks_the_law_and_is_noticed() -> None:
    class SharpenedFallback(ThresholdRule):
        def fallback(self, at: Position) -> TokenDistribution:
            distribution = super().fallback(at)
            sharpened = distribution.probs.square()
            return type(distribution)(sharpened / sharpened.sum(-1, keepdim=True), distribution.token_ids)

    chosen = settings("paper", 1)
    requests = [SequenceRequest(prompt_ids=tuple(PROMPT), sample_index=i, max_new_tokens=1) for i in range(6_000)]
    lanes = TwoModelLanes(ScriptedModel(SECURITY), ScriptedModel(TARGET))
    emissions = Run(lanes, SharpenedFallback(chosen.rule, chosen.sampling), chosen, requests).step()
    tokens = torch.tensor([emission.records[0].token_id for emission in emissions])
    assert p_value(tokens, expected(0, "paper")) < 1e-6
