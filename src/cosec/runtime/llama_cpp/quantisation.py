"""Make a GGUF model smaller and quicker: a copy whose matrices have 4 bits a weight.

The type is ``Q4_0``, which llama.cpp rearranges in memory for a processor's vector instructions.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cosec.errors import AdapterError, SettingsError
from cosec.models.gguf_adapter import merge_gguf_adapter
from cosec.models.identity import file_sha256
from cosec.models.loading.gguf_header import read_header
from cosec.runtime.llama_cpp.binding import failure, forget_messages, library


def quantise(
    file: Path, out: Path, *, threads: int, adapter: Path | None = None, rule: Mapping[str, object] | None = None
) -> None:
    """Write a copy of a model with 4 bits a weight, all at once.

    The copy is another model: its probabilities differ from those of the original.

    Args:
        file: A GGUF model, quantised or not.
        out: The file to write.
        threads: Number of threads.
        adapter: An adapter for this model as a GGUF file, which is added to the copy's weights; None for none.
        rule: Name and settings of the decoding rule that the adapter carries.

    Raises:
        ModelError: If the file is damaged, or llama.cpp cannot read it.
        AdapterError: If the file holds an adapter.
        SettingsError: If ``out`` exists, or llama.cpp is not installed.
        OSError: If the file cannot be written.
    """
    functions = library()
    if read_header(file).is_adapter:
        raise AdapterError(f"{file} is an adapter, whose matrices are small: there is nothing to gain.")
    if out.exists():
        raise SettingsError(f"{out} exists: name another file, or remove it.")
    params = functions.llama_model_quantize_default_params()
    params.ftype, params.pure, params.allow_requantize = functions.LLAMA_FTYPE_MOSTLY_Q4_0, True, True
    params.nthread = threads
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as workplace:
        unfinished = Path(workplace) / "model.gguf"
        if adapter is not None:
            merged = Path(workplace) / "merged.gguf"
            merge_gguf_adapter(file, adapter, merged, base_gguf_sha256=file_sha256(file), rule=rule)
            file = merged
        forget_messages()
        if functions.llama_model_quantize(str(file).encode(), str(unfinished).encode(), ctypes.byref(params)) != 0:
            raise failure(f"llama.cpp cannot quantise {file}")
        unfinished.replace(out)
