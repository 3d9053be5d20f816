"""What a model is and needs, from its small files alone."""

from pathlib import Path

import pytest
import torch

from cosec.errors import AdapterError, ModelError
from cosec.models.description import describe_model
from tests.tiny import ARCHITECTURES, CONTEXT_LENGTH, VOCABULARY_SIZE, save_tiny, save_tiny_adapter, tiny_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_facts_are_those_of_the_loaded_model(architecture: str, tmp_path: Path) -> None:
    description = describe_model(str(save_tiny(architecture, tmp_path / "model", head_width=336)))
    model = tiny_model(architecture, head_width=336)
    assert description.model_type == architecture
    assert description.family is not None
    assert description.parameters == sum(weight.numel() for weight in model.parameters())
    assert description.weight_bytes("auto") == 4 * description.parameters
    assert description.weight_bytes("bfloat16") == 2 * description.parameters
    assert (description.vocabulary, description.head_width) == (VOCABULARY_SIZE, 336)
    assert description.context_length == CONTEXT_LENGTH
    assert description.stored_dtype == "float32"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_cache_takes_what_is_foretold(architecture: str, tmp_path: Path) -> None:
    description = describe_model(str(save_tiny(architecture, tmp_path / "model")))
    cache = tiny_model(architecture)(torch.arange(3, 13).unsqueeze(0), use_cache=True).past_key_values
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert description.cache_values_per_token == held / 10
    assert description.cache_bytes_per_token("float16") == 2 * held / 10


def test_a_head_tied_to_the_embedding_counts_once(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path / "model")
    untied = describe_model(str(folder)).parameters
    model = tiny_model("llama")
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(folder)
    assert describe_model(str(folder)).parameters == untied - VOCABULARY_SIZE * 32


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    adapter = save_tiny_adapter(save_tiny("llama", tmp_path / "base"), tmp_path / "adapter")
    with pytest.raises(AdapterError, match="name the base"):
        describe_model(str(adapter))


def test_a_corrupt_tokenizer_is_named(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer of .*tokenizer\.json.* cannot be read"):
        describe_model(str(folder))
