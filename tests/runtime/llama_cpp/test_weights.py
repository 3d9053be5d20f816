"""What llama.cpp would misread, or end the process for, is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
from transformers import PreTrainedModel

from cosec.errors import ModelError, UnknownArchitecture
from cosec.runtime.llama_cpp import context, weights
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.weights import Weights

Made = Callable[..., tuple[PreTrainedModel, Path]]


def rewritten(file: Path, out: Path, architecture: str, **changed: int) -> Path:
    """A copy of a GGUF file with another architecture's name, or other numbers in its metadata."""
    reader, writer = gguf.GGUFReader(file), gguf.GGUFWriter(out, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind, key = field.types[0], name.replace("llama.", f"{architecture}.")
        element = field.types[1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, changed.get(key.rpartition(".")[2], field.contents()), kind, element)
    for key, value in changed.items():
        if f"llama.{key}" not in reader.fields and f"llama.attention.{key}" not in reader.fields:
            writer.add_uint32(f"{architecture}.attention.{key}", value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def test_an_unknown_architecture_is_named(gguf_of: Made, tmp_path: Path) -> None:
    file = rewritten(gguf_of("llama")[1], tmp_path / "odd.gguf", "oddity")
    with pytest.raises(ModelError, match=r"cannot open .*odd\.gguf: .*unknown model architecture: 'oddity'"):
        Weights(file, "odd")


def test_a_model_that_forgets_is_refused(gguf_of: Made, tmp_path: Path) -> None:
    file = rewritten(gguf_of("llama")[1], tmp_path / "windowed.gguf", "olmo2", sliding_window=8)
    with pytest.raises((UnknownArchitecture, ModelError)):
        Weights(file, "windowed")


def test_a_file_without_a_weight_is_refused(gguf_of: Made, tmp_path: Path) -> None:
    from tests.models.gguf_file import write_gguf

    file = write_gguf(gguf_of("llama")[0], tmp_path / "short.gguf", left_out="model.layers.1.mlp.up_proj.weight")
    with pytest.raises(ModelError, match=r"cannot open .*short\.gguf: .*tensor 'blk\.1\.ffn_up\.weight'"):
        Weights(file, "short")


def test_a_store_that_does_not_fit_into_memory_is_refused(gguf_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "free_memory", lambda: 1000)
    with pytest.raises(ModelError, match=r"2048 tokens of tiny need .* GB of memory, and 0\.0 GB are available"):
        Context(Weights(gguf_of("llama")[1], "tiny"), bytes_per_token=256)


def test_messages_of_llama_cpp_stay_off_the_terminal(gguf_of: Made, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    Context(Weights(gguf_of("llama")[1], "tiny"))
    with pytest.raises(ModelError):
        Weights(Path("/nowhere.gguf"), "nothing")
    assert capfd.readouterr() == ("", "")


def test_the_files_pages_are_released_while_it_is_loaded(gguf_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, file = gguf_of("llama")
    released: list[Path] = []
    monkeypatch.setattr(weights, "drop_file", released.append)
    Weights(file, "tiny")
    assert 1 <= len(released) <= 4
    assert set(released) == {file}


@pytest.mark.parametrize("amx", [True, False])
def test_extra_buffers_are_off_where_llama_cpp_would_use_amx(
    gguf_of: Made, monkeypatch: pytest.MonkeyPatch, amx: bool
) -> None:
    chosen: list[bool] = []
    load = weights.library().llama_model_load_from_file

    def loading(path: bytes, params: Any) -> object:
        chosen.append(bool(params.use_extra_bufts))
        return load(path, params)

    monkeypatch.setattr(weights.library(), "llama_model_load_from_file", loading)
    monkeypatch.setattr(weights, "uses_amx", lambda: amx)
    Weights(gguf_of("llama")[1], "tiny")
    assert chosen == [not amx]
