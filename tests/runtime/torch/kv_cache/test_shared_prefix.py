"""Rows of one prompt share its keys and values, and every logit stays what it is without sharing."""

from __future__ import annotations

import random

import pytest
import torch

from cosec.runtime.torch.kv_cache.shared_prefix import ATTENTION, SharedPrefix, attend_to_prefixes
from cosec.runtime.torch.token_model import TorchTokenModel
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, tiny_model

PROMPTS = [[3, 1, 4, 1, 5, 9], [2, 7], [6, 6, 6, 8]]
SAMPLES = [0, 0, 0, 1, 1, 2, 2, 2]


def batch(architecture: str, *, sharing: bool, prompts: list[list[int]] | None = None) -> TorchTokenModel:
    model = tiny_model(architecture)
    if sharing:
        assert attend_to_prefixes(model)
    return TorchTokenModel(model, VOCABULARY_SIZE).prefill(prompts or PROMPTS)


def shared(model: TorchTokenModel) -> bool:
    assert model.cache is not None
    return model.cache._prefix is not None


def prefix_of(model: TorchTokenModel) -> SharedPrefix:
    assert model.cache is not None
    assert model.cache._prefix is not None
    return model.cache._prefix


def fed(rows: int, new: int, seed: int) -> torch.Tensor:
    return torch.randint(VOCABULARY_SIZE, (rows, new), generator=torch.Generator().manual_seed(seed))


SHARING = [name for name in ARCHITECTURES if name != "codegen"]


@pytest.mark.parametrize("architecture", SHARING)
@pytest.mark.parametrize("new", [1, 3])
def test_sharing_changes_no_logit_through_rollbacks_drops_and_joins(architecture: str, new: int) -> None:
    one, other = batch(architecture, sharing=True), batch(architecture, sharing=False)
    late_one, late_other = (batch(architecture, sharing=s, prompts=[[5, 5, 5, 5, 5, 5, 5, 2]]) for s in (True, False))
    alone_one, alone_other = (batch(architecture, sharing=s, prompts=[[9, 8], [7]]) for s in (True, False))
    for model in (one, other):
        model.select(SAMPLES)
    for model in (late_one, late_other):
        model.select([0, 0])
    assert [shared(model) for model in (one, late_one, other, alone_one)] == [True, True, False, True]

    def same(seed: int) -> None:
        tokens = fed(one.row_count, new, seed)
        torch.testing.assert_close(one.advance(tokens), other.advance(tokens), rtol=1e-4, atol=1e-4)

    same(0)
    same(1)
    for model in (one, other):
        model.rollback([seed % (new + 1) for seed in range(8)])
    same(2)
    for model in (one, other):
        model.select([7, 0, 2, 6])
    assert prefix_of(one).keys[0].shape[0::2] == (2, 6), "the prompt without rows is let go"
    same(3)
    one.join([late_one, alone_one])
    other.join([late_other, alone_other])
    same(4)
    for model in (one, other):
        model.select([1, 4, 5, 6, 7])
    same(5)
    for model in (one, other):
        model.select([4])
    same(6)


def test_large_scores_keep_their_differences_in_bfloat16() -> None:
    # Large biases of queries and keys, as Qwen2.5-Coder-1.5B has them, add more than 100 to the scores.
    def logits(sharing: bool) -> torch.Tensor:
        model = tiny_model("qwen2").to(torch.bfloat16)
        for layer in model.model.layers:
            for biased in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                torch.nn.init.constant_(biased.bias, 12.0)
        assert not sharing or attend_to_prefixes(model)
        rows = TorchTokenModel(model, VOCABULARY_SIZE).prefill(PROMPTS)
        rows.select([0, 0, 1])
        return rows.advance(fed(3, 4, seed=0)).float().log_softmax(-1)

    torch.testing.assert_close(logits(sharing=True), logits(sharing=False), rtol=0, atol=0.2)


@pytest.mark.parametrize("architecture", SHARING)
def test_a_shared_prompt_is_held_once(architecture: str) -> None:
    model = batch(architecture, sharing=True)
    model.select(SAMPLES)
    assert prefix_of(model).keys[0].shape[0] == len(PROMPTS)
    assert model.cache is not None
    assert model.cache.slots == 0


def test_a_prompt_alone_is_shared_from_the_moment_that_others_join() -> None:
    one, other = batch("llama", sharing=True, prompts=[[3, 1, 4]]), batch("llama", sharing=False, prompts=[[3, 1, 4]])
    for seed in range(2):
        torch.testing.assert_close(one.advance(fed(1, 1, seed)), other.advance(fed(1, 1, seed)), rtol=1e-4, atol=1e-4)
    assert not shared(one)
    for prompt in ([2, 7], [3, 1, 4]):
        one.join([batch("llama", sharing=True, prompts=[prompt])])
        other.join([batch("llama", sharing=False, prompts=[prompt])])
    assert one.cache is not None
    assert one.cache.slots == 2, "the newcomers wait for what was generated, not for the prompts"
    assert prefix_of(one).keys[0].shape[0] == 2, "the prompt that was there is not kept twice"
    for seed in range(3):
        torch.testing.assert_close(one.advance(fed(3, 1, seed)), other.advance(fed(3, 1, seed)), rtol=1e-4, atol=1e-4)


def test_prompts_that_come_and_go_stay_where_they_are() -> None:
    one, other = batch("llama", sharing=True), batch("llama", sharing=False)
    places = set()
    for turn in range(12):
        prompt = [[turn + 1, turn + 2, 3][: 1 + turn % 3]]
        for model, sharing in ((one, True), (other, False)):
            model.join([batch("llama", sharing=sharing, prompts=prompt)])
            tokens = fed(4, 1, turn)
        torch.testing.assert_close(one.advance(tokens), other.advance(tokens), rtol=1e-4, atol=1e-4)
        for model in (one, other):
            model.select([1, 2, 3] if turn % 2 else [3, 0, 2])
        places.add(prefix_of(one).keys[0].data_ptr())
    assert len(places) == 1


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_joins_drops_and_forks_gives_the_logits_of_separate_copies(seed: int) -> None:
    chance = random.Random(seed)
    prompts = [[chance.randrange(1, 60) for _ in range(length)] for length in (1, 2, 5, 9, 17, 40)]
    kept = {
        index: batch("llama", sharing=True, prompts=[prompt]).fork(len(prompt)) for index, prompt in enumerate(prompts)
    }
    one, other = batch("llama", sharing=True, prompts=prompts[:1]), batch("llama", sharing=False, prompts=prompts[:1])
    for step in range(25):
        if chance.random() < 0.5 or not one.row_count:
            chosen = [chance.randrange(len(prompts)) for _ in range(chance.randrange(1, 4))]
            copies = [chance.randrange(1, 5) for _ in chosen]
            for model, sharing in ((one, True), (other, False)):
                newcomers = [
                    kept[index].fork(len(prompts[index]))
                    if sharing
                    else batch("llama", sharing=False, prompts=[prompts[index]])
                    for index in chosen
                ]
                for newcomer, count in zip(newcomers, copies, strict=True):
                    newcomer.select([0] * count)
                model.join(newcomers)
        tokens = fed(one.row_count, 1, step)
        torch.testing.assert_close(one.advance(tokens), other.advance(tokens), rtol=1e-4, atol=1e-4)
        rows = [row for row in range(one.row_count) if chance.random() < 0.7]
        chance.shuffle(rows)
        if not rows:  # without its prefix the other's memory starts anew
            other = batch("llama", sharing=False, prompts=prompts[:1])
            other.select([])
        for model in (one,) if not rows else (one, other):
            model.select(rows)


def test_one_large_group_among_many_small_ones_is_divided() -> None:
    one, other = (batch("llama", sharing=sharing, prompts=[[3, 1, 4]]) for sharing in (True, False))
    for model, sharing in ((one, True), (other, False)):
        model.select([0] * 9)
        model.join([batch("llama", sharing=sharing, prompts=[[token, 5] for token in range(7)])])
    padded = prefix_of(one)._padded
    assert padded.numel() <= 2 * 16
    tokens = fed(16, 1, 0)
    torch.testing.assert_close(one.advance(tokens), other.advance(tokens), rtol=1e-4, atol=1e-4)


def test_what_is_generated_beside_a_kept_copy_never_reaches_it() -> None:
    kept = batch("llama", sharing=True, prompts=[[3, 1, 4, 1, 5]]).fork(5)
    forks = [kept.fork(count) for count in (5, 3, 5, 5)]
    forks[2].select([0, 0])
    forks[3].join([batch("llama", sharing=True, prompts=[[2, 7]])])
    for seed in range(3):
        for fork in forks:
            fork.advance(fed(fork.row_count, 1, seed))
    fresh = batch("llama", sharing=True, prompts=[[3, 1, 4, 1, 5]])
    tokens = fed(1, 2, 7)
    torch.testing.assert_close(kept.fork(5).advance(tokens), fresh.advance(tokens), rtol=1e-4, atol=1e-4)


def test_an_attention_of_its_own_is_left_alone() -> None:
    model = tiny_model("codegen")
    assert not attend_to_prefixes(model)
    assert model.config._attn_implementation != ATTENTION
    rows = TorchTokenModel(model, VOCABULARY_SIZE).prefill(PROMPTS)
    rows.select(SAMPLES)
    assert not shared(rows)
