"""LoRA adapters as GGUF files, the form in which llama.cpp reads them.

The file holds the tensors of peft's folder, with the names and the row order of the base's own GGUF file. It also
records the base and the adapter's decoding rule, which llama.cpp ignores. A copy of the base with the adapter added to
its weights records the same.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosec.errors import AdapterError, UnknownArchitecture
from cosec.models.adapters import Adapter
from cosec.models.loading.gguf_header import GgufHeader

if TYPE_CHECKING:
    from gguf import GGUFReader, GGUFWriter, TensorNameMap
    from numpy.typing import NDArray

_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
"""GGUF's name of an architecture, by transformers' name."""

_INTERLEAVED = frozenset({"llama"})
"""Architectures whose GGUF files order the rows of queries and keys for interleaved rotary embeddings."""

_HEADS = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
"""Linear maps with rotary embeddings, and the entry of ``config.json`` with their number of heads."""

_BASE_NAME, _BASE_SHA256, _BASE_GGUF_SHA256, _RULE = (
    "cosec.base.name",
    "cosec.base.sha256",
    "cosec.base.gguf_sha256",
    "cosec.rule",
)


def write_gguf_adapter(
    adapter: Adapter,
    config: Mapping[str, Any],
    file: Path,
    *,
    base_gguf_sha256: str | None = None,
    rule: Mapping[str, object] | None = None,
) -> None:
    """Write an adapter as a GGUF file, all at once.

    Args:
        adapter: The adapter.
        config: ``config.json`` of its base.
        file: The file to write.
        base_gguf_sha256: SHA-256 of the base's GGUF file; None if the base is none.
        rule: Name and settings of the decoding rule that the adapter carries; None or empty for none.

    Raises:
        UnknownArchitecture: If the base's architecture is not one that can be converted.
        AdapterError: If the adapter changes a linear map that GGUF has no name for.
        OSError: If the file cannot be written.
    """
    from gguf import MODEL_ARCH_NAMES, GGUFWriter, get_tensor_name_map

    architecture = _ARCHITECTURES.get(str(config.get("model_type")))
    if architecture is None:
        raise UnknownArchitecture(
            f"An adapter of a {config.get('model_type')!r} model cannot be converted to GGUF; the architectures are "
            f"{', '.join(_ARCHITECTURES)}."
        )
    known = next(one for one, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(known, int(config["num_hidden_layers"]))
    first = min(adapter.scales)
    alpha = adapter.scales[first] * adapter.weights[f"{first}.lora_A"].shape[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as workplace:
        unfinished = Path(workplace) / "adapter.gguf"
        writer = GGUFWriter(unfinished, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        _add_facts(writer, adapter.base_name, adapter.base_sha256, base_gguf_sha256, rule)
        for module in sorted(adapter.scales):
            name = _gguf_name(names, adapter, module)
            for side, values in _matrices(adapter, module, alpha, config, architecture).items():
                writer.add_tensor(f"{name}.weight.lora_{side}", values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        unfinished.replace(file)


def _add_facts(
    writer: GGUFWriter,
    base_name: str | None,
    base_sha256: str | None,
    base_gguf_sha256: str | None,
    rule: Mapping[str, object] | None,
) -> None:
    facts = {
        _BASE_NAME: base_name,
        _BASE_SHA256: base_sha256,
        _BASE_GGUF_SHA256: base_gguf_sha256,
        _RULE: json.dumps(dict(rule)) if rule else None,
    }
    for key, fact in facts.items():
        if fact:
            writer.add_string(key, fact)


def _check_fits(reader: GGUFReader, changes: Mapping[str, NDArray[Any]], base: Path, adapter: Path) -> None:
    """Refuse an adapter that changes tensors which the base does not have, or has in another shape."""
    shapes = {tensor.name: tuple(int(size) for size in reversed(tensor.shape)) for tensor in reader.tensors}
    for changed in sorted({name.removesuffix(".lora_a").removesuffix(".lora_b") for name in changes}):
        first, second = (changes.get(f"{changed}.lora_{side}") for side in "ab")
        if first is None or second is None or shapes.get(changed) != (second.shape[0], first.shape[1]):
            raise AdapterError(f"The adapter {adapter} changes {changed}, which {base} does not have in that shape.")


def merge_gguf_adapter(
    base: Path, adapter: Path, file: Path, *, base_gguf_sha256: str, rule: Mapping[str, object] | None = None
) -> None:
    """Write a copy of a GGUF model with an adapter added to its weights.

    The changed matrices have 16 bits a weight; all others are copied as they are.

    Args:
        base: The GGUF file of the adapter's base.
        adapter: The adapter as a GGUF file.
        file: The file to write, which must not exist.
        base_gguf_sha256: SHA-256 of ``base``, which the copy records.
        rule: Name and settings of the decoding rule that the adapter carries; None or empty for none.

    Raises:
        AdapterError: If the adapter changes what the base does not have.
        OSError: If the file cannot be written.
    """
    from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize

    reader, updates = GGUFReader(base), GGUFReader(adapter)
    changes = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in updates.tensors}
    _check_fits(reader, changes, base, adapter)
    alpha = float(updates.fields["adapter.lora.alpha"].contents())
    writer = GGUFWriter(file, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key == "general.alignment":
            writer.add_custom_alignment(int(field.contents()))
        elif key != "general.architecture" and not key.startswith("GGUF."):
            kind, inner = field.types[0], field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            if kind == GGUFValueType.ARRAY and not field.data:
                continue  # the writer takes no empty arrays
            writer.add_key_value(key, field.contents(), kind, sub_type=inner)
    _add_facts(writer, None, None, base_gguf_sha256, rule)
    for tensor in reader.tensors:
        if f"{tensor.name}.lora_a" in changes:
            shape = tuple(int(size) for size in reversed(tensor.shape))
            writer.add_tensor_info(tensor.name, shape, np.dtype(np.float16), 2 * tensor.n_elements)
        else:
            data = tensor.data
            writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:
        first, second = (changes.get(f"{tensor.name}.lora_{side}") for side in "ab")
        if first is None or second is None:
            writer.write_tensor_data(tensor.data)
        else:
            weights = dequantize(tensor.data, tensor.tensor_type)
            writer.write_tensor_data((weights + alpha / first.shape[0] * (second @ first)).astype(np.float16))
    writer.close()


def _gguf_name(names: TensorNameMap, adapter: Adapter, module: str) -> str:
    name: str | None = names.get_name(module)
    if name is None:
        raise AdapterError(f"The adapter {adapter.path} changes {module!r}, which has no name in GGUF files.")
    return name


def _matrices(
    adapter: Adapter, module: str, alpha: float, config: Mapping[str, Any], architecture: str
) -> dict[str, np.ndarray]:
    """Both matrices of an update, scaled and ordered so that llama.cpp's factor alpha / rank gives the same update."""
    first, second = (adapter.weights[f"{module}.lora_{side}"].float().numpy() for side in "AB")
    factor = adapter.scales[module] * first.shape[0] / alpha
    if factor != 1:
        second = second * np.float32(factor)
    heads = _HEADS.get(module.rpartition(".")[2])
    if architecture in _INTERLEAVED and heads is not None:
        count = int(config.get(heads) or config["num_attention_heads"])
        second = second.reshape(count, 2, second.shape[0] // count // 2, -1).swapaxes(1, 2).reshape(second.shape)
    return {"a": np.ascontiguousarray(first), "b": np.ascontiguousarray(second)}


def base_of(header: GgufHeader) -> tuple[str | None, str | None, str | None]:
    """The base that an adapter file, or a copy with an adapter added to its weights, records.

    Returns:
        Its name, the fingerprint of its weights, and the SHA-256 of its GGUF file; None for what is not recorded.
    """
    name, sha256, gguf_sha256 = (header.metadata.get(key) for key in (_BASE_NAME, _BASE_SHA256, _BASE_GGUF_SHA256))
    return (
        None if name is None else str(name),
        None if sha256 is None else str(sha256),
        None if gguf_sha256 is None else str(gguf_sha256),
    )


def rule_of(header: GgufHeader) -> dict[str, object]:
    """Name and settings of the decoding rule that a file carries; empty if it carries none.

    Raises:
        AdapterError: If the entry is not a JSON object.
    """
    text = header.metadata.get(_RULE)
    if text is None:
        return {}
    try:
        rule = json.loads(str(text))
    except ValueError as error:
        raise AdapterError(f"The rule in {header.file} is not JSON ({error}); export the adapter again.") from error
    if not isinstance(rule, dict):
        raise AdapterError(f"The rule in {header.file} is not a JSON object; export the adapter again.")
    return rule
