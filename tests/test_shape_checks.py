"""The shapes that annotations promise are checked while tests run (``conftest.py``)."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from jaxtyping import TypeCheckError

from cosec.runtime import TorchTokenModel
from tests.conftest import CHECKED
from tests.tiny import VOCABULARY_SIZE, tiny_model


@pytest.mark.parametrize("module", CHECKED)
def test_a_checked_module_exists(module: str) -> None:
    assert find_spec(module) is not None


def test_a_wrong_shape_is_an_error() -> None:
    batch = TorchTokenModel(tiny_model(), VOCABULARY_SIZE).prefill([[1, 2]])
    with pytest.raises(TypeCheckError):
        batch.advance(torch.tensor([3]))
