"""Releases of transformers that would give wrong logits are refused before the first model runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from cosec.errors import ModelError
from cosec.runtime.torch.kv_cache.storage import StoredLayer
from cosec.runtime.torch.probe import check_runtime
from cosec.runtime.torch.token_model import TorchTokenModel
from tests.tiny import VOCABULARY_SIZE, tiny_model


@pytest.fixture(autouse=True)
def fresh() -> None:
    check_runtime.cache_clear()


def test_the_installed_release_passes_and_no_random_number_is_used_up() -> None:
    before = torch.get_rng_state()
    check_runtime()
    assert torch.equal(torch.get_rng_state(), before)


update = StoredLayer.update


def without_history(layer: StoredLayer, keys: Tensor, values: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    stored = update(layer, keys, values)
    return stored[0].clone(), stored[1]


def shifted(layer: StoredLayer, keys: Tensor, values: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    keys, values = update(layer, keys, values)
    return keys, values.roll(1, dims=2)


def unused(layer: StoredLayer, keys: Tensor, values: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    return keys, values


@pytest.mark.parametrize("changed", [without_history, shifted, unused])
def test_a_release_that_uses_the_cache_differently_is_refused_by_name_and_version(
    monkeypatch: pytest.MonkeyPatch, changed: Any
) -> None:
    monkeypatch.setattr(StoredLayer, "update", changed)
    with pytest.raises(ModelError, match=re.escape(f"transformers {transformers.__version__} does not work")):
        check_runtime()


def test_masks_of_another_size_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredLayer, "get_seq_length", lambda layer: 0)
    with pytest.raises(ModelError, match=re.escape(f"transformers {transformers.__version__} does not work")):
        check_runtime()


def test_an_architecture_that_stores_nothing_is_refused_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredLayer, "update", unused)
    with pytest.raises(ModelError, match="does not fill the key-value cache"):
        TorchTokenModel(tiny_model(), VOCABULARY_SIZE).prefill([[1, 2, 3]])
