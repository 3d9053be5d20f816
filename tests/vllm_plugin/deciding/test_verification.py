"""One step as a model runner sees it: requests at different places, with drafts of different lengths or none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest
import torch
from torch import Tensor

from cosec.vllm_plugin import PluginSettings
from cosec.vllm_plugin.deciding.decision import NO_TOKEN
from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.deciding.drafts import UnscreenedTokenError
from cosec.vllm_plugin.deciding.verification import Step, Verified, verify
from cosec.vllm_plugin.deciding.watch import Watch

VOCABULARY = 8


def logits(seed: int, rows: int) -> Tensor:
    return 2 * torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def params(seed: int, **arguments: Any) -> Any:
    return SimpleNamespace(
        temperature=0.9, top_p=1.0, top_k=0, min_p=0.0, seed=seed, logprobs=None, extra_args=arguments
    )


class RecordedDrafting(Drafting):
    """Remembers what it drew."""

    drawn: list[Tensor]

    def draw(self, security_logits: Tensor, base_logits: Tensor | None) -> Tensor:
        tokens = super().draw(security_logits, base_logits)
        self.drawn = [*getattr(self, "drawn", []), tokens]
        return tokens


def drafting(settings: PluginSettings | None = None, rule: str = "threshold") -> Drafting:
    """Three requests, of which ``a`` has no token yet and ``b`` has five, with drafts of three tokens."""
    made = RecordedDrafting(settings or PluginSettings(base="folder"), 0)
    for number, name in enumerate("abc"):
        made.enter(name, params(number, cosec_rule=rule), [1, 2])
    made.begin(["a", "b", "c"], [0, 5, 0])
    for place in range(3):
        base = logits(20 + place, 3) if made.needs_base() else None
        made.draw(logits(10 + place, 3), base)
    made.keep()
    return made


def kept(made: Drafting, name: str) -> list[int]:
    assert isinstance(made, RecordedDrafting)
    return [int(tokens["abc".index(name)]) for tokens in made.drawn]


def run(made: Drafting, lengths: dict[str, int], *, with_scores: bool = False) -> Verified:
    drafted = [kept(made, name)[:length] if length else [] for name, length in lengths.items()]
    step = Step(
        request_ids=list(lengths),
        first=[{"a": 0, "b": 5, "c": 0}[name] for name in lengths],
        drafted=drafted,
        due=[bool(length) for length in lengths.values()],
    )
    # Each request's scores depend on the request and the place only, so that they do not depend on the batch.
    scores = [logits(100 + 10 * "abc".index(name), 4)[: length + 1] for name, length in lengths.items()]
    return verify(step, made, torch.cat(scores), with_scores=with_scores)


@pytest.mark.parametrize("rule", ["threshold", "gate", "steer"])
def test_a_request_gets_the_same_tokens_in_every_batch(rule: str) -> None:
    made = drafting(rule=rule)
    together = run(made, {"a": 3, "b": 3, "c": 3}).token_ids
    assert together.shape == (3, 4)
    for row, name in enumerate("abc"):
        assert run(made, {name: 3}).token_ids[0].tolist() == together[row].tolist()
    assert run(made, {"c": 3, "a": 3}).token_ids.tolist() == together[[2, 0]].tolist()


def test_a_shorter_piece_of_a_draft_gives_the_beginning_of_its_tokens() -> None:
    made = drafting()
    whole = run(made, {"a": 3, "b": 3, "c": 3}).token_ids
    mixed = run(made, {"a": 1, "b": 3, "c": 2}).token_ids
    assert mixed[0].tolist() == [int(whole[0, 0]), *[NO_TOKEN] * 3]
    assert mixed[1].tolist() == whole[1].tolist()
    assert mixed[2, 2:].eq(NO_TOKEN).all()


def test_there_is_never_a_token_beyond_the_draft() -> None:
    made = drafting(PluginSettings(rule={"threshold": 0.0}))
    tokens = run(made, {"a": 3, "b": 3}).token_ids
    assert tokens[:, :3].tolist() == [kept(made, "a"), kept(made, "b")]  # every proposal stands
    assert tokens[:, 3].eq(NO_TOKEN).all()


def test_prompts_in_the_middle_get_no_token() -> None:
    made = drafting()
    tokens = run(made, {"a": 0, "b": 2, "c": 0}).token_ids
    assert tokens[[0, 2]].eq(NO_TOKEN).all()
    assert tokens[1, 0] != NO_TOKEN
    alone = run(made, {"a": 0})
    assert alone.token_ids.tolist() == [[NO_TOKEN]]
    assert alone.target_log_probs is None


def test_a_request_that_is_due_without_a_draft_stops_the_step() -> None:
    step = Step(request_ids=["a", "b"], first=[0, 5], drafted=[[], []], due=[False, True])
    with pytest.raises(UnscreenedTokenError, match="Request b"):
        verify(step, drafting(), logits(1, 2), with_scores=False)


def test_scores_are_those_of_the_target_at_each_token() -> None:
    scores = run(drafting(), {"a": 2, "b": 0, "c": 3}, with_scores=True).target_log_probs
    assert scores is not None
    assert scores.shape == (3, 4, VOCABULARY)
    assert torch.allclose(scores[0, :2], logits(100, 4)[:2].log_softmax(-1))
    assert torch.allclose(scores[2, :3], logits(120, 4)[:3].log_softmax(-1))
    assert scores[1].eq(0).all()


def test_the_target_can_be_the_base() -> None:
    made = drafting(PluginSettings(base="target"), rule="steer")
    assert run(made, {"a": 3, "b": 3}).token_ids[:, 0].ne(NO_TOKEN).all()


def test_only_the_shared_vocabulary_is_drawn_from() -> None:
    made = drafting(PluginSettings(rule={"threshold": 1.0}, shared_vocabulary=2))
    assert run(made, {"a": 3, "b": 3, "c": 3}).token_ids.max() < 2


def test_a_watch_counts_the_tokens() -> None:
    made = drafting()
    made.watch = Watch()
    tokens = run(made, {"a": 3, "b": 3, "c": 0}).token_ids
    assert made.watch.tokens == int((tokens != NO_TOKEN).sum())


def test_requests_that_have_left_are_forgotten() -> None:
    made = drafting()
    made.forget_others({"b"})
    assert made.drafts.request_ids() == ["b"]
    with pytest.raises(KeyError):
        made.state("a")


def test_requests_share_a_rule_which_goes_with_the_last_of_them() -> None:
    made = Drafting(PluginSettings(), 0)
    made.enter("stays", params(0), [1, 2])
    for name in ("one", "other"):
        made.enter(name, params(1, cosec_threshold=0.5), [1, 2])
    rule = ref(made.state("one").rule)
    assert made.state("other").rule is rule()
    made.forget_others({"stays", "other"})
    assert rule() is not None
    made.forget_others({"stays"})
    assert rule() is None
