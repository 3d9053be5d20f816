"""Which runtime runs a pair of models: what the user says, else what was measured here, else what the models are.

Light to import: command-line verbs import it before they know whether a model will be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from cosec.errors import SettingsError

if TYPE_CHECKING:
    from cosec.decoding.runtime_timings import Timings, Way

RuntimeName = Literal["auto", "torch", "llama.cpp"]
"""Names of the runtimes, as ``--runtime`` takes them; ``auto`` chooses by measurement, or by what is named."""

_LEAST_GAIN = 1.1
"""Another way than plain llama.cpp is taken if it is faster by this factor: less may be the noise of a measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """What runs a pair, and why."""

    name: Literal["torch", "llama.cpp"]
    """The runtime."""

    security_copy: bool = False
    """Whether the security model is a copy of the target with its adapter added, in 4 bits a weight."""

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
    security_copy: bool | None = None,
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
        security_copy: Whether to take a copy of the target with its adapter added as the security model; None for what
            was measured, and the adapter without a measurement.

    Raises:
        SettingsError: If the name is unknown, llama.cpp is asked for together with ``dtype`` or ``device_map``, or
            torch together with a copy.
        ModelError: If a GGUF file is damaged.
    """
    if runtime not in get_args(RuntimeName):
        raise SettingsError(f"--runtime {runtime!r} is not one of {', '.join(get_args(RuntimeName))}.")
    if runtime == "llama.cpp":
        _require_possible(anti_expert, dtype, device_map)
    why_torch = _only_torch(target, security, runtime, anti_expert, dtype, device_map)
    if why_torch is not None:
        if security_copy:
            raise SettingsError(f"--security-copy is for llama.cpp, and torch runs these models ({why_torch}).")
        return RuntimeChoice(name="torch", reason=why_torch)
    from cosec.decoding.runtime_timings import timings_of

    ways: list[Way] = ["llama.cpp", "llama.cpp with a copy", "torch"]
    if security_copy is not None:
        ways = ["llama.cpp with a copy"] if security_copy else ["llama.cpp", "torch"]
    if runtime == "llama.cpp":
        ways = [way for way in ways if way != "torch"]
    timings = timings_of(target, security) if len(ways) > 1 else None
    if timings is None:
        asked = runtime == "llama.cpp" or security_copy is not None
        reason = "as was asked for" if asked else "not measured here: cosec bench runtime compares it with torch"
        return RuntimeChoice(name="llama.cpp", security_copy=bool(security_copy), reason=reason)
    return _fastest(timings, ways, rows)


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


def _fastest(timings: Timings, ways: list[Way], rows: int) -> RuntimeChoice:
    """The fastest of some ways that memory allows."""
    from cosec.models.loading.host_memory import free_memory

    measured, free = {way: time for way, time in timings.at(rows).items() if way in ways}, free_memory()
    too_large = [way for way in measured if free is not None and timings.more_bytes.get(way, 0) > free]
    possible = {way: time for way, time in measured.items() if way not in too_large}
    plain = possible.get("llama.cpp", float("inf"))
    best: Way = min(possible, key=possible.__getitem__, default="llama.cpp")
    if best != "llama.cpp" and possible[best] * _LEAST_GAIN > plain:
        best = "llama.cpp"
    times = ", ".join(f"{way} {time:.0f} ms" for way, time in measured.items())
    reason = f"measured on {timings.measured} for {rows} at once, a token of each: {times}"
    if too_large:
        reason += f"; {' and '.join(too_large)} would need more memory than is free"
    return RuntimeChoice(
        name="torch" if best == "torch" else "llama.cpp",
        security_copy=best == "llama.cpp with a copy",
        measured=True,
        reason=reason,
    )
