"""What the record of a study says of its models: hashes of their weights, and how they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosec.models.adapters import ADAPTER_WEIGHTS, read_adapter
from cosec.models.identity import file_sha256, model_fingerprint
from cosec.models.loading.quantised import GgufAdapter, GgufModel, GgufPair

if TYPE_CHECKING:
    from cosec.models.adapters import Adapter
    from cosec.models.loading.load import LoadedModel, ModelPair


def pair_hashes(pair: ModelPair | GgufPair) -> dict[str, str]:
    """Hashes of a target and its security model, and how they run if that is not torch in float32.

    What is special comes first, as a refusal shows the beginning of what differs.
    """
    if isinstance(pair, GgufPair):
        special = {"runtime": "llama.cpp"}
    else:
        special = special_type(pair.target, "dtype")
        if pair.security is not None and pair.security.model.dtype != pair.target.model.dtype:
            special |= special_type(pair.security, "security dtype") or {"security dtype": "float32"}
    return {**special, "target": model_hash(pair.target), **security_hashes(pair)}


def special_type(model: LoadedModel | GgufModel, name: str) -> dict[str, str]:
    """The type of a model's weights under this name; empty if it is float32, which is not recorded."""
    dtype = "float32" if isinstance(model, GgufModel) else str(model.model.dtype).removeprefix("torch.")
    return {} if dtype == "float32" else {name: dtype}


def model_hash(model: LoadedModel | GgufModel) -> str:
    """Hash of a model's weights, with those of its prefix if it has one."""
    if isinstance(model, GgufModel):
        return file_sha256(model.file)
    weights = model_fingerprint(model.path)
    return weights if model.prefix is None else f"{weights}+{file_sha256(model.prefix.path / ADAPTER_WEIGHTS)}"


def adapter_hash(adapter: Adapter | GgufAdapter) -> str:
    """Hash of an adapter's weights, in a folder or in a GGUF file, and of its scales if they are not the usual 2.

    Earlier studies recorded the hash of the weights alone; they can be continued (``records.StudyFolder.open``).
    """
    if not adapter.path.is_dir():
        return file_sha256(adapter.path)
    weights = file_sha256(adapter.path / ADAPTER_WEIGHTS)
    scales = read_adapter(adapter.path).scales if isinstance(adapter, GgufAdapter) else adapter.scales
    if set(scales.values()) <= {2.0}:
        return weights
    return f"{weights}*{hashlib.sha256(json.dumps(dict(sorted(scales.items()))).encode()).hexdigest()[:12]}"


def security_hashes(pair: ModelPair | GgufPair) -> dict[str, str]:
    """Hashes of a whole security model, or of an adapter and its base if that is not the target."""
    found = {}
    if pair.security is not None:
        found["security"] = model_hash(pair.security)
    if pair.adapter is not None:
        found["adapter"] = adapter_hash(pair.adapter)
    return found


def anti_expert_hash(pairs: Sequence[ModelPair | GgufPair]) -> dict[str, str]:
    """Hash of the anti-expert, if one of the pairs has it."""
    used = [pair.anti_expert for pair in pairs if pair.anti_expert is not None]
    return {"anti-expert": adapter_hash(used[0])} if used else {}
