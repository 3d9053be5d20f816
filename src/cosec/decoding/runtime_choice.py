"""Which runtime runs a pair of models: chosen by what is named, unless the user says.

Light to import: command-line verbs import it before they know whether a model will be loaded.
"""

from __future__ import annotations

from typing import Literal, get_args

from cosec.errors import SettingsError

RuntimeName = Literal["auto", "torch", "llama.cpp"]
"""Names of the runtimes, as ``--runtime`` takes them; ``auto`` chooses by what is named."""


def choose_runtime(
    target: str,
    security: str,
    *,
    runtime: str = "auto",
    anti_expert: str | None = None,
    dtype: str = "auto",
    device_map: str | None = None,
) -> Literal["torch", "llama.cpp"]:
    """Choose what runs a pair.

    Args:
        target: The model to harden, as for ``load_pair``.
        security: Its security model or adapter, as for ``load_pair``.
        runtime: A name, or ``auto``: llama.cpp if it is installed, target and security model are GGUF models or
            adapters on them, and neither a number format nor a device is asked for.
        anti_expert: As for ``load_pair``.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.

    Raises:
        SettingsError: If the name is unknown, or llama.cpp is asked for together with ``dtype`` or ``device_map``.
        ModelError: If a GGUF file is damaged.
    """
    if runtime not in get_args(RuntimeName):
        raise SettingsError(f"--runtime {runtime!r} is not one of {', '.join(get_args(RuntimeName))}.")
    on_cpu = device_map in (None, "cpu")
    if runtime == "llama.cpp":
        if dtype != "auto" or not on_cpu:
            raise SettingsError(
                "--dtype and --device-map have no effect with --runtime llama.cpp, which runs a file as it is on the "
                "processor: drop one of them."
            )
        if anti_expert is not None:
            raise SettingsError("llama.cpp runs no anti-expert: choose --runtime torch.")
        return "llama.cpp"
    if runtime == "torch" or anti_expert is not None or dtype != "auto" or not on_cpu:
        return "torch"
    from cosec.models.loading.quantised import suits_llama_cpp
    from cosec.runtime import llama_cpp_is_installed

    return "llama.cpp" if llama_cpp_is_installed() and suits_llama_cpp(target, security) else "torch"
