"""An adapter as a GGUF file: the names, the order and the factor that llama.cpp expects."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from cosec.errors import AdapterError, UnknownArchitecture
from cosec.models.adapters import Adapter, read_adapter
from cosec.models.gguf_adapter import base_of, merge_gguf_adapter, rule_of, write_gguf_adapter
from cosec.models.loading.checks import read_config
from cosec.models.loading.gguf_header import read_header
from tests.models.gguf_file import write_gguf
from tests.tiny import save_tiny, save_tiny_adapter, tiny_model


def adapter_of(folder: Path, architecture: str) -> tuple[Adapter, dict[str, object]]:
    base = save_tiny(architecture, folder / "base")
    return read_adapter(save_tiny_adapter(base, folder / "adapter")), read_config(base)


def test_the_file_holds_the_tensors_of_the_folder_under_ggufs_names(tmp_path: Path) -> None:
    adapter, config = adapter_of(tmp_path, "qwen2")
    write_gguf_adapter(adapter, config, tmp_path / "adapter.gguf")
    reader = gguf.GGUFReader(tmp_path / "adapter.gguf")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    assert len(tensors) == 16  # two layers, four linear maps, two matrices
    for side in "AB":
        expected = adapter.weights[f"model.layers.1.self_attn.o_proj.lora_{side}"].numpy()
        np.testing.assert_array_equal(tensors[f"blk.1.attn_output.weight.lora_{side.lower()}"], expected)
    assert reader.fields["adapter.lora.alpha"].contents() == 8


def test_factors_that_differ_between_modules_are_kept(tmp_path: Path) -> None:
    adapter, config = adapter_of(tmp_path, "qwen2")
    odd = "model.layers.1.self_attn.o_proj"
    scales = {**adapter.scales, odd: 3 * adapter.scales[odd]}
    changed = Adapter(path=adapter.path, base_name=None, base_sha256=None, weights=adapter.weights, scales=scales)
    write_gguf_adapter(changed, config, tmp_path / "adapter.gguf")
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "adapter.gguf").tensors}
    expected = 3 * adapter.weights[f"{odd}.lora_B"].numpy()
    np.testing.assert_allclose(tensors["blk.1.attn_output.weight.lora_b"], expected, rtol=1e-6)


def test_base_and_rule_are_recorded(tmp_path: Path) -> None:
    adapter, config = adapter_of(tmp_path, "llama")
    rule = {"name": "gate", "strength": 0.2}
    write_gguf_adapter(adapter, config, tmp_path / "adapter.gguf", base_gguf_sha256="ab" * 32, rule=rule)
    header = read_header(tmp_path / "adapter.gguf")
    assert header.is_adapter
    assert header.architecture == "llama"
    assert base_of(header) == (adapter.base_name, None, "ab" * 32)
    assert rule_of(header) == rule


def test_an_adapter_of_an_architecture_without_gguf_names_is_refused(tmp_path: Path) -> None:
    adapter, config = adapter_of(tmp_path, "codegen")
    with pytest.raises(UnknownArchitecture, match="'codegen' model cannot be converted to GGUF"):
        write_gguf_adapter(adapter, config, tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def test_a_module_without_a_gguf_name_is_refused(tmp_path: Path) -> None:
    adapter, config = adapter_of(tmp_path, "llama")
    named = {"a_map_of_its_own": 1.0, **adapter.scales}
    weights = {
        **adapter.weights,
        **{
            f"a_map_of_its_own.lora_{side}": adapter.weights[
                next(name for name in adapter.weights if name.endswith(side))
            ]
            for side in "AB"
        },
    }
    odd = Adapter(path=adapter.path, base_name=None, base_sha256=None, weights=weights, scales=named)
    with pytest.raises(AdapterError, match=r"a_map_of_its_own.*no name in GGUF"):
        write_gguf_adapter(odd, config, tmp_path / "adapter.gguf")
    assert list(tmp_path.glob("*.gguf")) == []


def merged(base: Path, folder: Path) -> gguf.GGUFReader:
    """A copy of a tiny model's file with an adapter in its weights."""
    adapter, config = adapter_of(folder, "llama")
    write_gguf_adapter(adapter, config, folder / "adapter.gguf")
    merge_gguf_adapter(base, folder / "adapter.gguf", folder / "merged.gguf", base_gguf_sha256="0" * 64)
    return gguf.GGUFReader(folder / "merged.gguf")


def test_a_copy_is_aligned_as_its_base(tmp_path: Path) -> None:
    base = write_gguf(
        tiny_model("llama"), tmp_path / "base.gguf", more=lambda writer: writer.add_custom_alignment(4096)
    )
    copied = merged(base, tmp_path)
    assert copied.fields["general.alignment"].contents() == 4096
    originals = {tensor.name: tensor.data for tensor in gguf.GGUFReader(base).tensors}
    for tensor in copied.tensors:
        assert tensor.data_offset % 4096 == 0
        # The adapter changes the projections of the attention by at most a few units.
        np.testing.assert_allclose(tensor.data, originals[tensor.name], atol=10 if "attn" in tensor.name else 0)


def test_an_empty_entry_of_the_base_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = gguf.GGUFWriter.__dict__["_pack_val"]

    def pack_empty(self: gguf.GGUFWriter, value: object, *rest: object, **options: object) -> bytes:
        """Other programs write empty arrays, which the gguf package refuses."""
        if value == []:
            return struct.pack("<IIQ", gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.STRING, 0)
        return bytes(pack(self, value, *rest, **options))

    def add_empty(writer: gguf.GGUFWriter) -> None:
        writer.add_key_value("general.tags", [], gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.STRING)

    with monkeypatch.context() as patch:
        patch.setattr(gguf.GGUFWriter, "_pack_val", pack_empty)
        base = write_gguf(tiny_model("llama"), tmp_path / "base.gguf", more=add_empty)
    assert gguf.GGUFReader(base).fields["general.tags"].contents() == []
    copied = merged(base, tmp_path)
    assert "general.tags" not in copied.fields
    assert copied.fields["llama.block_count"].contents() == 2
