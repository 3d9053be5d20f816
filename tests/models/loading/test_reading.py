"""What the configuration of a model folder tells."""

from __future__ import annotations

import pytest
from transformers import CodeGenConfig

from cosec.errors import UnknownArchitecture
from cosec.models.loading.reading import context_length


def test_the_context_is_the_number_of_positions() -> None:
    assert context_length("m", CodeGenConfig(n_positions=32, n_ctx=64).to_dict()) == 32
    assert context_length("m", {"max_position_embeddings": 16}) == 16


def test_an_entry_that_bounds_no_positions_is_no_context() -> None:
    with pytest.raises(UnknownArchitecture, match="gives no context length"):
        context_length("m", {"model_type": "codegen", "n_ctx": 64})
