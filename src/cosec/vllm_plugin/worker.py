"""What vLLM mixes into its worker class: importing this module installs the plugin, so no worker starts without it."""

from __future__ import annotations

from typing import Any

from cosec.errors import SettingsError
from cosec.vllm_plugin.drafter import SecurityDrafter
from cosec.vllm_plugin.installation import install

install()


class WorkerExtension:
    """Methods of the workers that the server calls by name."""

    model_runner: Any

    def cosec_active(self) -> bool:
        """Whether this worker decides by our rules.

        Raises:
            SettingsError: If it does not.
        """
        if not getattr(type(self.model_runner), "cosec_installed", False):
            raise SettingsError("A worker runs vLLM's own rule instead of CoSec's.")
        return isinstance(getattr(self.model_runner, "drafter", None), SecurityDrafter)
