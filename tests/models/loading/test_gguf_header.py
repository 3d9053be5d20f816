"""The header of a GGUF file is read without its vocabulary, and damage is named before llama.cpp opens the file."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import gguf
import pytest

from cosec.errors import ModelError
from cosec.models.loading.gguf_header import read_header
from tests.models.gguf_file import write_gguf
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "sound.gguf"
    return write_gguf(tiny_model("llama"), file, quantisation=gguf.GGMLQuantizationType.Q8_0)


def test_it_agrees_with_the_reader_of_the_gguf_package(sound: Path) -> None:
    header, reader = read_header(sound), gguf.GGUFReader(sound)
    assert header.shapes == {tensor.name: tuple(map(int, tensor.shape)) for tensor in reader.tensors}
    scalars = {
        name: field.contents()
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.") and field.types[0] != gguf.GGUFValueType.ARRAY
    }
    assert header.metadata == scalars
    assert header.architecture == "llama"
    assert not header.is_adapter


@pytest.mark.parametrize("length", [0, 3, 20, 200, 5_000, 20_000, -1])
def test_a_file_cut_short_is_named(sound: Path, tmp_path: Path, length: int) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(sound.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"short\.gguf is not a readable GGUF file"):
        read_header(short)


def test_a_value_of_an_unknown_type_is_named(tmp_path: Path) -> None:
    file = tmp_path / "odd.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Qs", 1, b"a") + struct.pack("<I", 99))
    with pytest.raises(ModelError, match=r"\(its header has a value of the unknown type 99\)"):
        read_header(file)


def test_random_damage_of_the_header_ends_in_one_error_or_none(sound: Path, tmp_path: Path) -> None:
    chance, content = random.Random(7), sound.read_bytes()
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[chance.randrange(600)] = chance.randrange(256)
        (tmp_path / "damaged.gguf").write_bytes(damaged)
        try:
            read_header(tmp_path / "damaged.gguf")
        except ModelError:
            refused += 1
    assert refused > 30
