"""Check model folders: whether they are complete and readable, and hold data only.

Pickled weights and remote code run whatever their author wrote, so both are refused. Only JSON files and the headers of
safetensors files are read. A sound folder is checked without importing torch or transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosec.errors import ModelError, ModelNotFound, UnsafeCheckpoint
from cosec.files import why_unreadable

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
"""Suffixes of files that hold pickled weights."""

SINGLE_WEIGHTS = "model.safetensors"
"""Name of the weights of a model that are not split into several files."""

_SHARD_INDEX = "model.safetensors.index.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
LENGTH_BYTES = 8
"""A safetensors file starts with the length of its JSON header, as an integer of this many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Position of one tensor in a safetensors file."""

    file: Path
    dtype: str
    """Data type, as safetensors names it, such as ``"F32"``."""

    shape: tuple[int, ...]
    start: int
    """Offset of its first byte in the file."""

    end: int
    """Offset of the byte after its last."""


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a model folder.

    Raises:
        ModelNotFound: If the folder has none.
        ModelError: If it is not a JSON object with a ``model_type``.
    """
    path = folder / "config.json"
    if not path.is_file():
        if (folder / "checkpoints").is_dir():
            raise ModelNotFound(
                f"{folder} holds a training run that was stopped before it saved weights; continue it with the same "
                "command and --resume."
            )
        raise ModelNotFound(f"{folder} has no config.json, so it is not a model folder as transformers saves it.")
    config = read_json(path)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(f"{path} has no model_type, so its architecture is unknown.")
    return config


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: If the file holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is not valid JSON ({why_unreadable(error)}); fetch or save the model again."
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object; fetch or save the model again.")
    return content


def check_checkpoint(folder: Path) -> None:
    """Check that a folder holds a complete model that loads without running code from its author.

    Raises:
        ModelNotFound: If configuration, weights or tokenizer are missing.
        ModelError: If one of them is corrupt.
        UnsafeCheckpoint: If the weights are pickled or the architecture needs remote code.
    """
    config = read_config(folder)
    _refuse_remote_code(folder, config)
    for file in weight_files(folder):
        read_tensors(file)
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelNotFound(
            f"{folder} has no tokenizer (tokenizer.json); save it there with tokenizer.save_pretrained."
        )


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model, sorted by name.

    Raises:
        ModelNotFound: If the folder has no weights, or a shard is missing.
        ModelError: If the list of shards is corrupt, or names files outside the folder.
        UnsafeCheckpoint: If all of its weights are pickled.
    """
    if (folder / SINGLE_WEIGHTS).is_file():  # transformers, too, prefers it to shards
        return [folder / SINGLE_WEIGHTS]
    index = folder / _SHARD_INDEX
    if index.is_file():
        files = [folder / name for name in _shards(index)]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise ModelNotFound(f"{folder} lacks {len(missing)} of its {len(files)} weight files, first {missing[0]}.")
        return files
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
    if pickled:
        raise UnsafeCheckpoint(pickle_refusal(f"{folder} has pickled weights only ({pickled[0]})"))
    raise ModelNotFound(f"{folder} has no weights ({SINGLE_WEIGHTS}).")


def _shards(index: Path) -> list[str]:
    """Read the names of the weight files, sorted; only files beside the index are accepted."""
    shards = read_json(index).get("weight_map")
    names = list(shards.values()) if isinstance(shards, dict) else []
    if not names or not all(
        isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name for name in names
    ):
        raise ModelError(
            f"{index} does not name a safetensors file of this folder for every tensor (weight_map); fetch or save the "
            "model again."
        )
    return sorted(set(names))


def pickle_refusal(found: str) -> str:
    """Message that refuses pickled weights and says how to convert them.

    Args:
        found: The pickled file, as a clause that begins the message.
    """
    return (
        f"{found}; loading a pickle runs code from its author. If you trust it, convert it once: "
        "AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder) writes safetensors."
    )


def read_tensors(file: Path) -> dict[str, StoredTensor]:
    """Read the header of a safetensors file.

    Returns:
        Name to position of each tensor.

    Raises:
        ModelError: If the file is truncated or of another format.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(LENGTH_BYTES), "little")
            if length > size - LENGTH_BYTES:
                raise ValueError(f"its header would take {length} of {size} bytes")
            header: dict[str, Any] = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        data_start = LENGTH_BYTES + length
        tensors = {
            name: StoredTensor(
                file=file,
                dtype=entry["dtype"],
                shape=tuple(entry["shape"]),
                start=data_start + entry["data_offsets"][0],
                end=data_start + entry["data_offsets"][1],
            )
            for name, entry in header.items()
        }
        expected = max((tensor.end for tensor in tensors.values()), default=data_start)
        if expected != size:
            raise ValueError(f"{size} bytes where its header announces {expected}")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{file} is not a readable safetensors file ({error}); fetch or save it again.") from error
    return tensors


def _refuse_remote_code(folder: Path, config: Mapping[str, Any]) -> None:
    if "auto_map" not in config:
        return
    from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES

    if config["model_type"] not in CONFIG_MAPPING_NAMES:
        raise UnsafeCheckpoint(
            f"{folder} needs code of its own to load (auto_map in config.json, model_type {config['model_type']!r}), "
            "which is never run; use a model of an architecture that transformers itself knows."
        )
