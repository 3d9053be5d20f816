"""Preparing a loaded pair: what it changes in the models, and that it may be done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.errors import AdapterError
from tests.decoding.pairs import separate_pair, shared_pair


def scores(lanes: Lanes) -> tuple[Tensor, Tensor | None]:
    batch = lanes.prefill([[1, 2, 3], [4]])
    scored = batch.advance(torch.tensor([5, 6]), 1, lambda log_probs, index: log_probs.argmax(dim=-1))
    return scored.target_log_probs.clone(), scored.security_log_probs


@pytest.mark.parametrize("prepare", [separate_pair, shared_pair])
def test_a_pair_may_be_prepared_twice(tmp_path: Path, prepare: type[PreparedPair]) -> None:
    first = prepare(tmp_path)
    expected = scores(first.lanes(1))
    second = PreparedPair(first.pair)
    for found in (scores(second.lanes(1)), scores(first.lanes(1))):
        assert all(torch.equal(*both) for both in zip(found, expected, strict=True))


def test_what_hardens_has_a_name(tmp_path: Path) -> None:
    assert shared_pair(tmp_path).security_name == str(tmp_path / "adapter")
    separate = separate_pair(tmp_path)
    assert separate.security_name == str(tmp_path / "security")
    assert PreparedPair(replace(separate.pair, security=None)).security_name is None


def test_an_adapter_cannot_be_attached_to_a_target_that_was_prepared_without_it(tmp_path: Path) -> None:
    pair = shared_pair(tmp_path).pair
    alone = separate_pair(tmp_path).pair
    with pytest.raises(AdapterError, match="loaded again"):
        PreparedPair(replace(pair, target=alone.target))


def test_preparing_uses_up_no_random_numbers(tmp_path: Path) -> None:
    pair = separate_pair(tmp_path).pair
    before = torch.get_rng_state()
    PreparedPair(pair)
    assert torch.equal(torch.get_rng_state(), before)
