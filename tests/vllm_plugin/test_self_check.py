"""The start-up check with an engine that is right, and with engines that are wrong in one way each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from cosec.vllm_plugin.deciding.watch import Watch
from cosec.vllm_plugin.self_check import LawBroken, check_law, closed_form
from tests.vllm_plugin.deciding.test_decision import drafted, target_scores

VOCABULARY = 12
GENERATOR = torch.Generator().manual_seed(4)
SCORES = {
    name: (1.5 * torch.randn(VOCABULARY, generator=GENERATOR)).log_softmax(-1).double()
    for name in ("target", "security", "base")
}
AGREEING, DISAGREEING = (1, 2), (3, 4)
"""After the first prompt all models agree, so that every rule has the same law there."""


class ScriptedEngine:
    """Draws from the laws in closed form, unless told to be wrong."""

    def __init__(self, wrong: str = "", workers: Sequence[int] = (1,)) -> None:
        self.wrong = wrong
        self.workers = workers
        """Number of workers of each engine."""
        self.rules: list[str] = []
        self.prompts = (AGREEING, DISAGREEING)
        self._latest = AGREEING

    async def call_workers(self, method: str) -> list[list[Any]]:
        if method == "cosec_active":
            return [[self.wrong != "not active"]]
        if method == "cosec_watch":
            return [[None]]
        tokens = 100 if self.wrong == "unscreened tokens" else 512
        scores = {name: one.tolist() for name, one in self._scores().items()}
        if self.wrong == "first token undrafted":
            scores = {}
        return [[{"tokens": tokens // sum(self.workers), "scores": scores}] * count for count in self.workers]

    def _scores(self) -> dict[str, torch.Tensor]:
        return SCORES if self._latest == DISAGREEING else dict.fromkeys(SCORES, SCORES["target"])

    async def first_tokens(self, prompt: Sequence[int], rule: dict[str, Any], count: int) -> list[list[int]]:
        if count > 1:
            self.rules.append(rule["cosec_rule"])
        self._latest = tuple(prompt)
        scores = self._scores()
        law = scores["target"].exp() if self.wrong == "stock rule" else closed_form(rule, scores)
        drawn = torch.multinomial(law, count, replacement=True, generator=torch.Generator().manual_seed(1))
        return [[token, 0] for token in drawn.tolist()]

    async def logprob_after(self, prompt: Sequence[int], token: int) -> float:
        return float(SCORES["target"][token]) + (1.0 if self.wrong == "another target" else 0.0)


def test_an_engine_that_follows_the_laws_passes() -> None:
    engine = ScriptedEngine()
    assert "p-value" in asyncio.run(check_law(engine, with_base=True))
    assert engine.rules == ["threshold", "steer"]


def test_rules_with_a_base_are_checked_only_if_there_is_one() -> None:
    engine = ScriptedEngine()
    asyncio.run(check_law(engine, with_base=False))
    assert engine.rules == ["threshold"]


def test_tokens_of_data_parallel_engines_add_up_and_those_of_tensor_parallel_workers_do_not() -> None:
    asyncio.run(check_law(ScriptedEngine(workers=(1, 1)), with_base=False))
    with pytest.raises(LawBroken, match="received 512 tokens, of which the rules had decided 256"):
        asyncio.run(check_law(ScriptedEngine(workers=(2,)), with_base=False))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("not active", "No worker"),
        ("unscreened tokens", "received 512 tokens, of which the rules had decided 100"),
        ("first token undrafted", "first token"),
        ("another target", "differs by 1.00"),
        ("stock rule", "do not follow"),
    ],
)
def test_an_engine_that_is_wrong_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(LawBroken, match=said):
        asyncio.run(check_law(ScriptedEngine(wrong), with_base=True))


def test_a_watch_counts_tokens_and_keeps_the_scores_of_a_first_position() -> None:
    rows, watch = drafted({"threshold": 0.6}, 2, 3), Watch()
    watch.note(rows, target_scores(2, 3), torch.tensor([[1, -1], [2, 3], [4, -1]]))
    assert watch.tokens == 4
    assert watch.scores is not None
    assert watch.scores["target"] == target_scores(2, 3)[0, 0].tolist()
    assert watch.scores["base"] != watch.scores["security"]
