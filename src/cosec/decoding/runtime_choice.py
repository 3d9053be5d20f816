"""Which runtime runs a pair of models: what the user says, else what was measured here, else what the models are.

Light to import: command-line verbs import it before they know whether a model will be loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from cosec.errors import SettingsError

if TYPE_CHECKING:
    from cosec.decoding.runtime_timings import Timings

RuntimeName = Literal["auto", "torch", "llama.cpp"]
"""Names of the runtimes, as ``--runtime`` takes them; ``auto`` chooses by measurement, or by what is named."""

_LEAST_GAIN = 1.1
"""torch is taken if it is faster by this factor: less may be the noise of a measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """What runs a pair, and why."""

    name: Literal["torch", "llama.cpp"]
    """The runtime."""

    measured: bool = False
    """Whether a measurement decided."""

    reason: str
    """Why, as part of a sentence."""


def choose_runtime(
    target: str,
    security: str,
    *,
    runtime: str = "auto",
    anti_expert: str | None = None,
    dtype: str = "auto",
    device_map: str | None = None,
    rows: int = 1,
    security_copy: bool = False,
) -> RuntimeChoice:
    """Choose what runs a pair. Equal calls choose alike until the pair is measured again, if memory allows it.

    Args:
        target: The model to harden, as for ``load_pair``.
        security: Its security model or adapter, as for ``load_pair``.
        runtime: A name, or ``auto``. That is torch unless llama.cpp is installed, target and security model are GGUF
            models or adapters on them, and neither a number format nor a device is asked for. Then it is what
            ``cosec bench runtime`` measured as the fastest, and llama.cpp without a measurement.
        anti_expert: As for ``load_pair``.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.
        rows: Completions that will be decoded at once.
        security_copy: Whether a copy of the target with its adapter added is the security model, for which llama.cpp is
            needed. It is another model, so no measurement of speed chooses it.

    Raises:
        SettingsError: If the name is unknown, llama.cpp is asked for together with ``dtype`` or ``device_map``, or
            torch together with a copy.
        ModelError: If a GGUF file is damaged.
    """
    if runtime not in get_args(RuntimeName):
        names = ", ".join(get_args(RuntimeName))
        raise SettingsError(f"runtime {runtime!r} is not one of {names}.", settings=("runtime",))
    if runtime == "llama.cpp":
        _require_possible(anti_expert, dtype, device_map)
    why_torch = _only_torch(target, security, runtime, anti_expert, dtype, device_map)
    if why_torch is not None:
        if security_copy:
            raise SettingsError(f"--security-copy is for llama.cpp, and torch runs these models ({why_torch}).")
        return RuntimeChoice(name="torch", reason=why_torch)
    from cosec.decoding.runtime_timings import timings_of

    asked = runtime == "llama.cpp" or security_copy
    timings = None if asked else timings_of(target, security)
    if timings is None:
        reason = "as was asked for" if asked else "not measured here: cosec bench runtime compares it with torch"
        return RuntimeChoice(name="llama.cpp", reason=reason)
    return _fastest(timings, rows)


def _require_possible(anti_expert: str | None, dtype: str, device_map: str | None) -> None:
    """Refuse what llama.cpp ignores or cannot do."""
    if dtype != "auto" or device_map not in (None, "cpu"):
        raise SettingsError(
            "--dtype and --device-map have no effect with --runtime llama.cpp, which runs a file as it is on the "
            "processor: drop one of them."
        )
    if anti_expert is not None:
        raise SettingsError("llama.cpp runs no anti-expert: choose --runtime torch.")


def _only_torch(
    target: str, security: str, runtime: str, anti_expert: str | None, dtype: str, device_map: str | None
) -> str | None:
    """Why llama.cpp is no choice; None if it is one."""
    if runtime == "llama.cpp":
        return None
    if runtime == "torch":
        return "as was asked for"
    if anti_expert is not None:
        return "llama.cpp runs no anti-expert"
    if dtype != "auto" or device_map not in (None, "cpu"):
        return "llama.cpp has no --dtype and no --device-map"
    from cosec.models.loading.quantised import suits_llama_cpp
    from cosec.runtime import llama_cpp_is_installed

    if not llama_cpp_is_installed():
        return "llama.cpp is not installed"
    if not suits_llama_cpp(target, security):
        return "llama.cpp runs GGUF files, pulled embedded models and adapters on them"
    return None


def _fastest(timings: Timings, rows: int) -> RuntimeChoice:
    """The faster runtime, if memory allows it."""
    from cosec.models.loading.host_memory import free_memory

    times, free = timings.at(rows), free_memory()
    told = ", ".join(f"{way} {times[way]:.0f} ms" for way in ("llama.cpp", "torch") if way in times)
    reason = f"measured on {timings.measured} for {rows} at once, a token of each: {told}"
    if times.get("torch", math.inf) * _LEAST_GAIN <= times.get("llama.cpp", math.inf):
        if free is None or timings.torch_bytes <= free:
            return RuntimeChoice(name="torch", measured=True, reason=reason)
        reason += f"; torch needs {timings.torch_bytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
    return RuntimeChoice(name="llama.cpp", measured=True, reason=reason)
