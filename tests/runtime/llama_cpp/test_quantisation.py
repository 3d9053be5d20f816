"""A copy with 4 bits a weight has the weights that the format prescribes, and may have an adapter in them."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
import torch

from cosec.decoding.pairing import PreparedPair, carried_rule
from cosec.errors import AdapterError, ModelError, SettingsError
from cosec.models.gguf_adapter import merge_gguf_adapter
from cosec.models.loading.quantised import adapter_for, export_adapter, load_gguf_pair
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.quantisation import quantise
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights
from tests.models.gguf_file import write_gguf
from tests.models.gguf_pair import GgufFiles, gguf_files
from tests.tiny import VOCABULARY_SIZE, tiny_model


@pytest.fixture(scope="module")
def original(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tiny_model("llama", hidden=64), tmp_path_factory.mktemp("original") / "model.gguf")


@pytest.fixture
def exported(installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[GgufFiles, Path]:
    """Tiny models and an adapter of the target, as a GGUF file."""
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    files, adapter = gguf_files(tmp_path), tmp_path / "adapter.gguf"
    export_adapter(Path(files.adapter), adapter, {})
    return files, adapter


def probabilities(file: Path) -> torch.Tensor:
    model = LlamaTokenModel(Context(Weights(file, "tiny")), VOCABULARY_SIZE)
    return model.prefill([()]).advance(torch.tensor([[5, 6, 7, 8, 9]]))[0].softmax(dim=-1)


def test_a_copy_has_the_weights_that_the_gguf_package_computes(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "small.gguf"
    quantise(original, out, threads=1)
    kind = gguf.GGMLQuantizationType.Q4_0
    expected = write_gguf(tiny_model("llama", hidden=64), tmp_path / "expected.gguf", quantisation=kind)
    torch.testing.assert_close(probabilities(out), probabilities(expected), rtol=0, atol=0.002)
    assert (probabilities(out) - probabilities(original)).abs().max() > 0.01
    assert out.stat().st_size < 0.6 * original.stat().st_size
    assert [path.name for path in out.parent.iterdir()] == ["small.gguf"]


def test_a_file_that_exists_is_kept(original: Path) -> None:
    with pytest.raises(SettingsError, match=r"model\.gguf exists: name another file"):
        quantise(original, original, threads=1)


def test_a_damaged_file_is_refused(original: Path, tmp_path: Path) -> None:
    (tmp_path / "short.gguf").write_bytes(original.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"short\.gguf"):
        quantise(tmp_path / "short.gguf", tmp_path / "out.gguf", threads=1)
    assert not (tmp_path / "out.gguf").exists()


def test_an_adapter_that_is_added_to_the_weights_gives_the_probabilities_of_the_adapter(
    original: Path, exported: tuple[GgufFiles, Path], tmp_path: Path
) -> None:
    files, adapter = exported
    merged, base = tmp_path / "merged.gguf", Path(files.target)
    merge_gguf_adapter(base, adapter, merged, base_gguf_sha256="0" * 64)
    weights = Weights(base, "tiny")
    model = LlamaTokenModel(Context(weights, weights.adapter(adapter)), VOCABULARY_SIZE)
    expected = model.prefill([()]).advance(torch.tensor([[5, 6, 7, 8, 9]]))[0].softmax(dim=-1)
    torch.testing.assert_close(probabilities(merged), expected, rtol=0, atol=0.001)
    assert (probabilities(base) - expected).abs().max() > 0.01


def test_an_adapter_of_another_shape_is_not_added(exported: tuple[GgufFiles, Path], tmp_path: Path) -> None:
    _, adapter = exported
    other = write_gguf(tiny_model("llama", hidden=48), tmp_path / "other.gguf")
    with pytest.raises(AdapterError, match=r"changes blk\.0\..*does not have in that shape"):
        merge_gguf_adapter(other, adapter, tmp_path / "merged.gguf", base_gguf_sha256="0" * 64)


def test_a_copy_with_an_adapter_steers_the_model_that_it_was_made_from(
    exported: tuple[GgufFiles, Path], tmp_path: Path
) -> None:
    files, adapter = exported
    copied = tmp_path / "copied.gguf"
    quantise(Path(files.target), copied, threads=1, adapter=adapter, rule={"name": "steer", "strength": 1.0})
    pair = PreparedPair(load_gguf_pair(files.target, str(copied)))
    assert (pair.has_base, pair.shared_weights, pair.own_rule) == (True, False, {"name": "steer", "strength": 1.0})
    assert carried_rule(files.target, str(copied)) == pair.own_rule
    lanes = pair.lanes(2, "base").prefill([(5, 6)])
    scores = lanes.advance(torch.tensor([7]), 2, lambda log_probs, index: log_probs.argmax(dim=-1))
    assert scores.base_log_probs is scores.target_log_probs
    beside = PreparedPair(load_gguf_pair(files.security, str(copied)))
    assert (beside.has_base, beside.own_rule) == (False, {})


def test_an_adapter_for_another_model_is_not_added(exported: tuple[GgufFiles, Path]) -> None:
    files, adapter = exported
    assert adapter_for(files.target, str(adapter)) == adapter
    with pytest.raises(AdapterError, match=r"was made for .*so it cannot be added to"):
        adapter_for(files.security, str(adapter))
    with pytest.raises(AdapterError, match="is not an adapter"):
        adapter_for(files.target, files.security)


def test_an_adapter_is_refused(exported: tuple[GgufFiles, Path], tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="is an adapter"):
        quantise(exported[1], tmp_path / "out.gguf", threads=1)
