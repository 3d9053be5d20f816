"""The shapes that annotations promise are checked while tests run (``conftest.py``)."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from jaxtyping import TypeCheckError, config

from cosec.runtime import TorchTokenModel
from tests.conftest import CHECKED
from tests.shape_checks import BUDGET
from tests.tiny import VOCABULARY_SIZE, tiny_model


@pytest.mark.parametrize("module", CHECKED)
def test_a_checked_module_exists(module: str) -> None:
    assert find_spec(module) is not None


def test_a_wrong_shape_is_an_error() -> None:
    batch = TorchTokenModel(tiny_model(), VOCABULARY_SIZE).prefill([[1, 2]])
    with pytest.raises(TypeCheckError):
        batch.advance(torch.tensor([3]))


def test_checks_end_after_the_first_calls_of_a_test_and_begin_again_with_the_next() -> None:
    batch = TorchTokenModel(tiny_model(), VOCABULARY_SIZE).prefill([[1, 2]])
    BUDGET.left = 1
    assert not config.jaxtyping_disable
    batch.advance(torch.tensor([[3]]))
    assert config.jaxtyping_disable
    BUDGET.renew(whole=False)
    with pytest.raises(TypeCheckError):
        batch.advance(torch.tensor([3]))
