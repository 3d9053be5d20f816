"""Was an adapter made for a target? Told by names, headers and fingerprints, before weights are loaded."""

from __future__ import annotations

from pathlib import Path

from cosec.models.adapters import is_adapter, recorded_base
from cosec.models.gguf_adapter import base_of
from cosec.models.identity import file_sha256
from cosec.models.loading.embedded import BUNDLED_MODELS, gguf_file
from cosec.models.loading.gguf_header import GgufHeader, read_header
from cosec.models.loading.load import is_recorded_base, resolve_model, resolve_security


def shares_weights(target: str, security: str) -> bool:
    """Tell whether a security model is an adapter on the target's own weights.

    Args:
        target: The model to harden, as for ``load_pair``.
        security: An adapter, ``"default"`` or a whole model.

    Raises:
        ModelError: If one of them does not exist, or is damaged.
    """
    file = None if security in BUNDLED_MODELS else gguf_file(security)
    if file is not None:
        header, own = read_header(file), gguf_file(target)
        return header.is_adapter and own is not None and file_is_for(header, target, own)
    folder = resolve_security(target, security)
    return folder is not None and is_adapter(folder) and folder_is_for(recorded_base(folder), target)


def is_copy_of(target: Path | None, header: GgufHeader) -> bool:
    """Tell whether a model is a copy of a target's file with an adapter added to its weights."""
    sha256 = base_of(header)[2]
    return not header.is_adapter and target is not None and sha256 is not None and sha256 == file_sha256(target)


def file_is_for(header: GgufHeader, target: str, file: Path) -> bool:
    """Tell whether an adapter in a GGUF file was made for the target called ``target`` in ``file``."""
    name, _, sha256 = base_of(header)
    return name in (None, target) if sha256 is None else sha256 == file_sha256(file)


def folder_is_for(base: tuple[str | None, str | None], target: str, outline: Path | None = None) -> bool:
    """Tell whether an adapter in a folder was made for a target; reads no weights of the adapter.

    Args:
        base: Name and fingerprint of the base, as the adapter records them (``recorded_base``).
        target: Name of the target.
        outline: Folder with the target's configuration, for an adapter that records no fingerprint.
    """
    embedded = embedded_with(base[1])
    if embedded is not None and target in BUNDLED_MODELS:
        return target == embedded
    own, others = gguf_file(target), None if embedded is None else gguf_file(embedded)
    if own is not None and others is not None:
        return file_sha256(own) == file_sha256(others)
    # A fingerprint is one of converted weights: a file of which only an outline is known is converted once.
    folder = outline if outline is not None and base[1] is None else resolve_model(target)
    return is_recorded_base(base, target, folder)


def embedded_with(weights_sha256: str | None) -> str | None:
    """The embedded model whose converted weights have this fingerprint; None if there is none."""
    return next((name for name, one in BUNDLED_MODELS.items() if one.weights_sha256 == weights_sha256), None)
