from __future__ import annotations

import pytest

import cosec.decoding.selftest as selftest
from cosec.decoding.rules.draft import Position
from cosec.decoding.rules.threshold import ThresholdRule
from cosec.decoding.sampling import TokenDistribution


def test_the_self_test_passes_on_this_engine() -> None:
    result = selftest.law_selftest()
    assert result.passed, result.summary
    assert "standard errors" in result.summary


def test_the_self_test_fails_when_the_fallback_follows_another_law(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ThresholdRule.fallback

    def sharpened(self: ThresholdRule, at: Position) -> TokenDistribution:
        distribution = right(self, at)
        squared = distribution.probs.square()
        return TokenDistribution(squared / squared.sum(-1, keepdim=True), distribution.token_ids)

    monkeypatch.setattr(ThresholdRule, "fallback", sharpened)
    assert not selftest.law_selftest().passed
