"""A target, a security model and an adapter as a user of GGUF files keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cosec.models.identity import model_fingerprint
from cosec.models.loading.load import resolve_model
from tests.models.gguf_file import write_gguf
from tests.tiny import save_tiny, save_tiny_adapter, tiny_model


@dataclass(frozen=True)
class GgufFiles:
    """Paths, as command-line arguments take them."""

    target: str
    """A GGUF file."""

    security: str
    """A GGUF file of the same vocabulary and other weights."""

    adapter: str
    """A folder with an adapter that records the target as its base."""

    other_adapter: str
    """A folder with an adapter that records the security model as its base."""


def gguf_files(folder: Path, architecture: str = "llama") -> GgufFiles:
    target, security = (
        write_gguf(tiny_model(architecture, seed=seed), folder / f"{name}.gguf")
        for seed, name in enumerate(("target", "security"))
    )
    save_tiny(architecture, folder / "shape")
    adapters = []
    for name, base, seed in (("adapter", target, 5), ("other", security, 6)):
        adapter = save_tiny_adapter(folder / "shape", folder / name, seed=seed)
        config = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(base)}))
        adapters.append(str(adapter))
    return GgufFiles(str(target), str(security), *adapters)


def record_fingerprint(adapter: str, base: str) -> None:
    """Let an adapter record the weights of its base, as ``cosec tune`` does."""
    facts = {"base_model": {"name": base, "sha256": model_fingerprint(resolve_model(base))}}
    (Path(adapter) / "manifest.json").write_text(json.dumps(facts))
