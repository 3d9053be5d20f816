from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
import transformers
from transformers import AutoConfig, modeling_gguf_pytorch_utils

from cosec.errors import ModelError
from cosec.models.internals import (
    attention_of,
    read_gguf,
    reuse_gguf_reader,
    set_attention,
    takes_registered_attention,
)
from tests.models.gguf_file import write_gguf
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


def test_a_gguf_file_is_read_as_by_its_package_into_plain_arrays(tmp_path: Path) -> None:
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf")
    ours, theirs = read_gguf(file), gguf.GGUFReader(file)
    assert {name: field.contents() for name, field in ours.fields.items()} == {
        name: field.contents() for name, field in theirs.fields.items()
    }
    assert [tensor.name for tensor in ours.tensors] == [tensor.name for tensor in theirs.tensors]
    for tensor, expected in zip(ours.tensors, theirs.tensors, strict=True):
        assert type(tensor.data) is np.ndarray
        assert np.array_equal(tensor.data, expected.data)


def test_transformers_reads_the_metadata_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf")
    load, loads = modeling_gguf_pytorch_utils.load_gguf_checkpoint, []

    def counted(*args: object, **kwargs: object) -> object:
        loads.append(args)
        return load(*args, **kwargs)

    monkeypatch.setattr(modeling_gguf_pytorch_utils, "load_gguf_checkpoint", counted)
    names = (gguf.GGUFReader, gguf.get_tensor_name_map)
    with pytest.raises(RuntimeError, match="stops"), reuse_gguf_reader(file, read_gguf(file)):  # noqa: PT012
        first, second = (AutoConfig.from_pretrained(tmp_path, gguf_file=file.name) for _ in range(2))
        assert first.to_dict() == second.to_dict()
        assert len(loads) == 1
        raise RuntimeError("stops")
    assert modeling_gguf_pytorch_utils.load_gguf_checkpoint is counted
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == names


def test_a_transformers_without_the_names_still_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf")
    monkeypatch.delattr(gguf, "get_tensor_name_map")
    reader_class = gguf.GGUFReader
    with reuse_gguf_reader(file, read_gguf(file)):
        assert gguf.GGUFReader is reader_class
