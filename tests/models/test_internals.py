from __future__ import annotations

import pytest
import torch
import transformers

from cosec.errors import ModelError
from cosec.models.internals import attention_of, set_attention, takes_registered_attention
from tests.tiny import tiny_model


def test_the_attention_of_a_model_is_read_and_set() -> None:
    model = tiny_model("llama")
    assert attention_of(model.config) == "sdpa"
    set_attention(model, "eager")
    assert attention_of(model.config) == "eager"
    with torch.inference_mode():
        assert model(input_ids=torch.tensor([[1, 2]]), output_attentions=True).attentions[0] is not None


def test_an_architecture_with_an_attention_of_its_own_is_recognised() -> None:
    assert takes_registered_attention(tiny_model("llama"))
    assert not takes_registered_attention(tiny_model("codegen"))


def test_a_configuration_that_names_no_attention_is_an_error_with_the_version() -> None:
    with pytest.raises(ModelError, match=f"transformers {transformers.__version__} does not work.*constraints"):
        attention_of(object())  # type: ignore[arg-type]
