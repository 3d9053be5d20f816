"""llama.cpp's C API through ``llama-cpp-python``: imported when it is first needed, and silenced.

The library writes its messages to standard error. Here they are kept instead, so that an error can quote the last one.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from importlib.util import find_spec
from typing import Any

from cosec.errors import ModelError, SettingsError
from cosec.extras import how_to_install

_NAMES = ("llama_memory_seq_cp", "llama_memory_seq_rm", "llama_set_adapters_lora", "llama_state_get_data")
"""Functions that older releases lack."""

_ERROR = 4
"""ggml's level of error messages."""

_errors: deque[str] = deque(maxlen=8)
"""The latest error messages of the library."""

_callbacks: list[Any] = []
"""Functions that C code calls; they must outlive every call."""


def is_installed() -> bool:
    """Whether the package is there. Imports nothing."""
    return find_spec("llama_cpp") is not None


@cache
def library() -> Any:
    """The module with llama.cpp's C functions.

    Raises:
        SettingsError: If the package is missing, cannot be loaded or is too old.
    """
    if not is_installed():
        raise SettingsError(
            "Running a GGUF file in llama.cpp needs a package that is not installed (llama-cpp-python). With a C++ "
            f"compiler, {how_to_install('llama')}; or choose --runtime torch."
        )
    try:
        from llama_cpp import llama_cpp as functions
    # A library built for another processor or C library fails in ways of its own.
    except Exception as error:
        raise SettingsError(
            f"llama-cpp-python is installed but cannot be loaded ({error}): build it again on this machine with "
            "pip install --force-reinstall --no-deps --no-binary llama-cpp-python llama-cpp-python, or choose "
            "--runtime torch."
        ) from error
    missing = [name for name in _NAMES if not hasattr(functions, name)]
    if missing:
        raise SettingsError(f"This llama-cpp-python is too old (no {missing[0]}); {how_to_install('llama')}.")
    callback = functions.llama_log_callback(_keep)
    _callbacks.append(callback)
    functions.llama_log_set(callback, None)
    functions.llama_backend_init()
    return functions


def uses_amx() -> bool:
    """Whether the library was built with AMX kernels."""
    return b"AMX_INT8 = 1" in library().llama_print_system_info()


def _keep(level: int, text: bytes, user_data: object) -> None:
    """Keep an error message, and drop any other."""
    if level == _ERROR:
        _errors.append(text.decode("utf-8", "replace").strip())


def failure(what: str) -> ModelError:
    """An error that quotes what the library said last.

    Args:
        what: What failed, as a sentence without its end.
    """
    # The first message of a failure names its cause; later ones say that loading failed.
    said = next((text for text in _errors if text), "")
    _errors.clear()
    return ModelError(f"{what}{f': {said}' if said else ''}.")


def forget_messages() -> None:
    """Forget earlier messages, before a call whose failure is to be quoted."""
    _errors.clear()
