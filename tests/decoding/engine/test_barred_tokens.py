"""Stop tokens before the minimum number of tokens: never emitted, and the law is the models' given another token."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.barred_tokens import scores_without_barred, without_barred
from cosec.decoding.engine.lanes import Scores, TargetLane, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import DecodingSettings, decoding_settings
from tests.decoding.engine.test_law import PROMPT, SAMPLING, THRESHOLD, VOCABULARY, p_value
from tests.decoding.law import Vector, law_at, logits_after, lossless_law, position_law
from tests.decoding.rules.test_lossless import BASE, RULES, SECURITY, TARGET
from tests.decoding.rules.test_lossless import lanes as three_models
from tests.decoding.scripted import ScriptedModel

BARRED = frozenset({2, 5, 10**6})
PAPERS = {"name": "threshold", "threshold": THRESHOLD}


def settings(rule: dict[str, object], draft_length: int) -> DecodingSettings:
    return decoding_settings(rule, {**SAMPLING, "max_new_tokens": 3, "seed": 3, "draft_length": draft_length})


def draw(rule: dict[str, object], draft_length: int, draws: int, until: int = 3) -> torch.Tensor:
    """Token ids of shape (draws, 3); the rows of even samples have barred tokens."""
    chosen = settings(rule, draft_length)
    batch = TwoModelLanes(ScriptedModel(SECURITY), ScriptedModel(TARGET)) if rule is PAPERS else three_models()
    requests = [
        SequenceRequest(
            prompt_ids=tuple(PROMPT),
            sample_index=sample,
            max_new_tokens=3,
            barred_tokens=frozenset() if sample % 2 else BARRED,
            barred_until=until,
        )
        for sample in range(draws)
    ]
    run = Run(batch, rule_for(chosen), chosen, requests)
    texts: list[list[int]] = [[] for _ in requests]
    while emissions := run.step():
        for emission in emissions:
            texts[emission.sequence].extend(record.token_id for record in emission.records)
    return torch.tensor(texts)


@pytest.mark.parametrize("draft_length", [1, 4])
@pytest.mark.parametrize("name", ["threshold", "steer", "gate", "speculative"])
def test_the_law_is_that_of_the_models_given_another_token(name: str, draft_length: int) -> None:
    rule = PAPERS if name == "threshold" else RULES[name]
    kept = [token for token in range(VOCABULARY) if token not in BARRED]

    def law(prefix: list[int]) -> Vector:
        target, security, base = (logits_after(table, prefix)[kept] for table in (TARGET, SECURITY, BASE))
        whole = np.zeros(VOCABULARY)
        if rule is PAPERS:
            whole[kept] = position_law(security, target, preset="paper", threshold=THRESHOLD, **SAMPLING)
        else:
            whole[kept] = lossless_law(target, security, base, rule, **SAMPLING)
        return whole

    tokens = draw(rule, draft_length, 4_000)[::2]
    for position in (0, 2):
        expected = law_at(position, PROMPT, law)
        assert not expected[sorted(BARRED - {10**6})].any()
        p = p_value(tokens[:, position], expected)  # also checks that no token without probability was emitted
        assert p > 0.01 or (expected > 0).sum() == 1


@pytest.mark.parametrize("rule", [PAPERS, RULES["gate"]])
def test_barred_tokens_change_no_other_row_and_nothing_after_the_minimum(rule: dict[str, object]) -> None:
    barred, free = draw(rule, 2, 2_000), draw(rule, 2, 2_000, until=0)
    assert torch.equal(barred[1::2], free[1::2])
    assert torch.isin(free[::2], torch.tensor(sorted(BARRED))).any()
    late = draw(rule, 4, 2_000, until=1)[::2]
    assert not torch.isin(late[:, 0], torch.tensor(sorted(BARRED))).any()
    assert torch.isin(late[:, 1:], torch.tensor(sorted(BARRED))).any()


def test_a_token_is_not_changed_because_another_was_barred() -> None:
    """Without the barred tokens the others are more likely, on both sides of the comparison."""
    chosen = settings(PAPERS, 1)
    greedy = chosen.model_copy(update={"sampling": chosen.sampling.model_copy(update={"temperature": 0.0})})
    request = SequenceRequest(
        prompt_ids=tuple(PROMPT), sample_index=0, max_new_tokens=3, barred_tokens=BARRED, barred_until=3
    )
    run, tokens = Run(TargetLane(ScriptedModel(TARGET)), rule_for(greedy), greedy, [request]), list(PROMPT)
    while emissions := run.step():
        for record in (record for emission in emissions for record in emission.records):
            log_probs = torch.as_tensor(logits_after(TARGET, tokens)).log_softmax(-1)
            assert record.changed is False
            assert record.target_log_prob == pytest.approx(float(log_probs[record.token_id]), abs=1e-5)
            tokens.append(record.token_id)
    assert len(tokens) == len(PROMPT) + 3


def test_scores_without_anything_barred_are_the_same_objects() -> None:
    scores = Scores(target_log_probs=torch.randn(2, 3, 7).log_softmax(-1), security_log_probs=None)
    assert scores_without_barred(scores, [[frozenset()] * 2] * 3) is scores
    log_probs = scores.target_log_probs[:, 0]
    assert without_barred(log_probs, [frozenset(), {99}]) is log_probs
    limited = without_barred(log_probs, [frozenset(), {1}])
    assert torch.equal(limited[0], log_probs[0])
    assert limited[1, 1] == -math.inf
    torch.testing.assert_close(limited[1].exp().sum(), torch.tensor(1.0))


def test_a_base_that_is_the_target_stays_the_same_tensor() -> None:
    target = torch.randn(1, 2, 7).log_softmax(-1)
    scores = Scores(target_log_probs=target, security_log_probs=target.clone(), base_log_probs=target)
    limited = scores_without_barred(scores, [[frozenset()], [frozenset({3})]])
    assert limited.base_log_probs is limited.target_log_probs
    assert torch.equal(limited.target_log_probs[:, 0], target[:, 0])
