"""Rows of one prompt share its keys and values, and every logit stays what it is without sharing."""

from __future__ import annotations

import pytest
import torch

from cosec.models.shared_prefix import ATTENTION, SharedPrefix, attend_to_prefixes, worth_sharing
from cosec.models.token_model import CachedModel
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, tiny_model

PROMPTS = [[3, 1, 4, 1, 5, 9], [2, 7], [6, 6, 6, 8]]
SAMPLES = [0, 0, 0, 1, 1, 2, 2, 2]


def batch(architecture: str, *, sharing: bool, prompts: list[list[int]] | None = None) -> CachedModel:
    model = tiny_model(architecture)
    if sharing:
        assert attend_to_prefixes(model)
    return CachedModel(model, VOCABULARY_SIZE).prefill(prompts or PROMPTS)


def shared(model: CachedModel) -> bool:
    assert model.cache is not None
    return model.cache._prefix is not None


def prefix_of(model: CachedModel) -> SharedPrefix:
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
    assert [shared(model) for model in (one, late_one, other, alone_one)] == [True, True, False, False]

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
    assert prefix_of(one).occupied.shape == (2, 6), "the prompt without rows is let go"
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


@pytest.mark.parametrize("architecture", SHARING)
def test_a_shared_prompt_is_held_once(architecture: str) -> None:
    model = batch(architecture, sharing=True)
    model.select(SAMPLES)
    assert prefix_of(model).keys[0].shape[0] == len(PROMPTS)
    assert model.cache is not None
    assert model.cache.slots == 0


def test_rows_of_their_own_prompts_share_nothing() -> None:
    model = batch("llama", sharing=True)
    model.select([2, 0, 1])
    assert not shared(model)
    assert not worth_sharing([0, 1, 1])
    assert worth_sharing([0, 0, 1, 1])


def test_an_attention_of_its_own_is_left_alone() -> None:
    model = tiny_model("codegen")
    assert not attend_to_prefixes(model)
    assert model.config._attn_implementation != ATTENTION
    rows = CachedModel(model, VOCABULARY_SIZE).prefill(PROMPTS)
    rows.select(SAMPLES)
    assert not shared(rows)
