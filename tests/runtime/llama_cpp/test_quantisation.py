"""A copy with 4 bits a weight is smaller, and has the weights that the format prescribes."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
import torch

from cosec.errors import AdapterError, ModelError, SettingsError
from cosec.models.loading.quantised import export_adapter
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.quantisation import quantise
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights
from tests.models.gguf_file import write_gguf
from tests.models.gguf_pair import gguf_files
from tests.tiny import VOCABULARY_SIZE, tiny_model


@pytest.fixture(scope="module")
def original(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tiny_model("llama", hidden=64), tmp_path_factory.mktemp("original") / "model.gguf")


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


def test_an_adapter_is_refused(installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    adapter = tmp_path / "adapter.gguf"
    export_adapter(Path(gguf_files(tmp_path).adapter), adapter, {})
    with pytest.raises(AdapterError, match="is an adapter"):
        quantise(adapter, tmp_path / "out.gguf", threads=1)
