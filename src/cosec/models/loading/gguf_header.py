"""The header of a GGUF file: its scalar metadata and where its tensors lie, read without the vocabulary.

llama.cpp ends the process on some damaged files, so a file is checked here before llama.cpp opens it. Reading takes a
fraction of a second, where the gguf package takes seconds for a large vocabulary.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from cosec.errors import ModelError
from cosec.files import why_unreadable

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
"""struct formats of GGUF's types of scalars."""
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_MOST_ENTRIES = 1 << 20
_LARGEST_ALIGNMENT = 1 << 16

Scalar = int | float | bool | str
"""A metadata value that is not an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says about itself."""

    file: Path
    metadata: Mapping[str, Scalar]
    """Scalar entries by key; arrays are left out."""

    shapes: Mapping[str, tuple[int, ...]]
    """Shape of each tensor, the fastest dimension first, as GGUF writes it."""

    @property
    def architecture(self) -> str:
        """Name of the architecture, such as ``"qwen2"``; empty if the file names none."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def is_adapter(self) -> bool:
        """Whether the file holds an adapter and not a model."""
        return self.metadata.get("general.type") == "adapter"


def read_header(file: Path) -> GgufHeader:
    """Read and check the header of a GGUF file.

    Raises:
        ModelError: If the file is damaged or cut short, or not a GGUF file.
    """
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _read(file, content)
    # An empty file cannot be mapped; a damaged one asks for bytes, names or types that do not exist.
    except (ValueError, KeyError, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise ModelError(f"{file} is not a readable GGUF file ({why_unreadable(error)}); fetch it again.") from error


def _read(file: Path, content: mmap.mmap) -> GgufHeader:
    reader = _Reader(content)
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not start like one")
    reader.place = len(_MAGIC)
    version = reader.scalar(4)
    if version not in _VERSIONS:
        raise ValueError(f"its format has version {version}")
    tensors, entries = int(reader.scalar(10)), int(reader.scalar(10))
    if tensors > _MOST_ENTRIES or entries > _MOST_ENTRIES:
        raise ValueError(f"its header announces {tensors} tensors and {entries} entries")
    metadata: dict[str, Scalar] = {}
    for _ in range(entries):
        key, kind = reader.string(), int(reader.scalar(4))
        value = reader.value(kind)
        if value is not None:
            metadata[key] = value
    places = [reader.tensor() for _ in range(tensors)]
    alignment = int(metadata.get("general.alignment", 32))
    if not 0 < alignment <= _LARGEST_ALIGNMENT or alignment & (alignment - 1):
        raise ValueError(f"its alignment is {alignment}")
    start = -(-reader.place // alignment) * alignment
    for name, _, offset, size in places:
        if offset % alignment or start + offset + size > len(content):
            raise ValueError(f"its tensor {name} would end after byte {start + offset + size} of {len(content)}")
    return GgufHeader(file=file, metadata=metadata, shapes={name: shape for name, shape, _, _ in places})


class _Reader:
    """A place in the file, which moves forward."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self.place = 0

    def scalar(self, kind: int) -> int | float | bool:
        """The scalar at this place, of GGUF's type ``kind``."""
        shape = _SCALARS.get(kind)
        if shape is None:
            raise ValueError(f"its header has a value of the unknown type {kind}")
        (found,) = struct.unpack_from(shape, self._content, self.place)
        self.place += struct.calcsize(shape)
        value: int | float | bool = found
        return value

    def string(self) -> str:
        """The string at this place."""
        length = int(self.scalar(10))
        start = self.place
        self.place += length
        self._check_place()
        return self._content[start : self.place].decode("utf-8")

    def _check_place(self) -> None:
        if self.place > len(self._content):
            raise ValueError(f"its header would go on after byte {self.place} of {len(self._content)}")

    def value(self, kind: int) -> Scalar | None:
        """The metadata value at this place; None for an array, which is passed over."""
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(kind)
        of, count = int(self.scalar(4)), int(self.scalar(10))
        if of == _STRING:
            place, content, length_at = self.place, self._content, _LENGTH.unpack_from
            for _ in range(count):  # hundreds of thousands of tokens
                place += _LENGTH.size + length_at(content, place)[0]
            self.place = place
        elif of == _ARRAY:
            raise ValueError("it holds arrays of arrays")
        else:
            self.place += count * struct.calcsize(_SCALARS[of])
        self._check_place()
        return None

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, shape, offset and size in bytes of the tensor described at this place."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name, dimensions = self.string(), int(self.scalar(4))
        if not 0 < dimensions <= 4:
            raise ValueError(f"its tensor {name} has {dimensions} dimensions")
        shape = tuple(int(self.scalar(10)) for _ in range(dimensions))
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(int(self.scalar(4)))]
        if shape[0] % block:
            raise ValueError(f"its tensor {name} has rows of {shape[0]} numbers in blocks of {block}")
        return name, shape, int(self.scalar(10)), prod(shape) // block * size
