"""A whole model predicts what the model and its adapter do together, with the number of logits that was asked for."""

import json
from pathlib import Path

import pytest
import torch

from cosec.errors import AdapterError, ModelError, VocabularyMismatch
from cosec.models.loading.load import load_model
from cosec.models.whole_models import whole_model
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, save_tiny, save_tiny_adapter, save_tiny_prefix

IDS = torch.arange(20).unsqueeze(0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_is_merged_into_its_base_with_a_wider_head(architecture: str, tmp_path: Path) -> None:
    base = save_tiny(architecture, tmp_path / "base")
    adapter = save_tiny_adapter(base, tmp_path / "adapter")
    folder = whole_model(str(adapter), adapter, head_width=VOCABULARY_SIZE + 64)
    expected = load_model(str(adapter)).model(IDS).logits
    written = load_model(str(folder))
    found = written.model(IDS).logits
    torch.testing.assert_close(found[..., :VOCABULARY_SIZE], expected)
    assert found.shape[-1] == written.model.config.vocab_size == VOCABULARY_SIZE + 64
    assert not found[..., VOCABULARY_SIZE:].any()


def test_a_model_of_the_right_width_is_used_as_it_is(tmp_path: Path) -> None:
    base = save_tiny("llama", tmp_path / "base")
    assert whole_model("base", base, head_width=VOCABULARY_SIZE) == base
    assert whole_model("base", base) == base


def test_logits_beyond_the_tokens_are_cut_off_and_tokens_never_are(tmp_path: Path) -> None:
    base = save_tiny("qwen2", tmp_path / "base", head_width=384)
    folder = whole_model("base", base, head_width=VOCABULARY_SIZE)
    expected, found = (load_model(str(one)).model(IDS).logits for one in (base, folder))
    torch.testing.assert_close(found, expected[..., :VOCABULARY_SIZE])
    with pytest.raises(VocabularyMismatch, match=f"{VOCABULARY_SIZE} tokens, which do not fit into a head of 300"):
        whole_model("base", base, head_width=300)


def test_a_folder_is_written_once_and_again_only_for_other_weights_or_another_width(tmp_path: Path) -> None:
    base = save_tiny("llama", tmp_path / "base")
    adapters = [save_tiny_adapter(base, tmp_path / f"adapter-{seed}", seed=seed) for seed in (1, 2)]
    first = whole_model("one", adapters[0])
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert whole_model("one", adapters[0], head_width=VOCABULARY_SIZE) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    assert len({first, whole_model("two", adapters[1]), whole_model("one", adapters[0], head_width=330)}) == 3
    assert json.loads((first / "source.json").read_text())["head_width"] == VOCABULARY_SIZE


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_tiny("llama", tmp_path / "base")
    adapter = save_tiny_adapter(base, tmp_path / "adapter")

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("cosec.models.whole_models.write_atomically", fail)
        with pytest.raises(ModelError, match="COSEC_CACHE"):
            whole_model("adapter", adapter)
    assert not list((tmp_path / "cache" / "whole").iterdir())
    assert whole_model("adapter", adapter).is_dir()


def test_a_prefix_is_refused(tmp_path: Path) -> None:
    base = save_tiny("llama", tmp_path / "base")
    prefix = save_tiny_prefix(base, tmp_path / "prefix")
    with pytest.raises(AdapterError, match="cannot be merged"):
        whole_model("prefix", prefix)
