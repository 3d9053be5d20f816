"""Write a safetensors file tensor by tensor, for weights that do not fit in memory together."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cosec.models.loading.checks import LENGTH_BYTES

if TYPE_CHECKING:
    import numpy as np

_FLOAT32_BYTES = 4
_ALIGNMENT = 8
"""The data section of a safetensors file starts at a multiple of this many bytes."""


class SafetensorsFile:
    """A file of float32 tensors; their names and shapes are known in advance, their values come in any order.

    Args:
        file: The file to write; existing content is overwritten.
        shapes: Name to shape.
    """

    def __init__(self, file: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
        entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
        start = 0
        for name, shape in shapes.items():
            end = start + _FLOAT32_BYTES * math.prod(shape)
            entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
            start = end
        header = json.dumps(entries).encode()
        header += b" " * (-len(header) % _ALIGNMENT)
        self._starts = {}
        self._missing = dict.fromkeys(shapes)
        place = LENGTH_BYTES + len(header)
        for name, shape in shapes.items():
            self._starts[name] = place
            place += _FLOAT32_BYTES * math.prod(shape)
        self._file = file.open("wb")
        self._file.write(len(header).to_bytes(LENGTH_BYTES, "little") + header)
        self._file.truncate(place)

    @property
    def missing(self) -> list[str]:
        """Names of the tensors that have not been written yet."""
        return list(self._missing)

    def write(self, name: str, values: np.ndarray) -> None:
        """Write one tensor.

        Args:
            name: One of ``shapes``.
            values: An array of that shape; other types are converted to float32.

        Raises:
            OSError: If the file cannot be written.
        """
        import numpy as np

        self._file.seek(self._starts[name])
        self._file.write(np.ascontiguousarray(values, dtype="<f4").data)
        self._missing.pop(name, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
