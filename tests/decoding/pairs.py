"""Real pairs of tiny models, loaded from folders as a user's are."""

from __future__ import annotations

from pathlib import Path

from cosec.decoding.pairing import PreparedPair
from cosec.models.loading.load import load_pair
from tests.tiny import save_tiny, save_tiny_adapter


def separate_pair(folder: Path, architecture: str = "llama", device: str = "cpu") -> PreparedPair:
    """Two models of the same family with a cache each."""
    target, security = folder / "target", folder / "security"
    if not target.exists():
        save_tiny(architecture, target)
    if not security.exists():
        save_tiny(architecture, security, seed=1)
    return PreparedPair(load_pair(str(target), str(security), dtype="float32", device_map=device))


def shared_pair(folder: Path, architecture: str = "llama", device: str = "cpu") -> PreparedPair:
    """A target and an adapter on its own weights."""
    target, adapter = shared_folders(folder, architecture)
    return PreparedPair(load_pair(str(target), str(adapter), dtype="float32", device_map=device))


def shared_folders(folder: Path, architecture: str = "llama") -> tuple[Path, Path]:
    """A target and an adapter as a user keeps them."""
    target, adapter = folder / "target", folder / "adapter"
    if not target.exists():
        save_tiny(architecture, target)
    if not adapter.exists():
        save_tiny_adapter(target, adapter)
    return target, adapter
