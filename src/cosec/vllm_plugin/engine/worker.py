"""What vLLM mixes into its worker class: importing this module installs the plugin, so no worker starts without it."""

from __future__ import annotations

from typing import Any

from cosec.errors import SettingsError
from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.deciding.watch import Watch
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
        return self._drafting is not None

    def cosec_watch(self) -> None:
        """Begin to note what is verified."""
        if self._drafting is not None:
            self._drafting.watch = Watch()

    def cosec_seen(self) -> dict[str, Any]:
        """Stop noting; returns the number of tokens and the scores of a first position."""
        drafting, watch = self._drafting, Watch()
        if drafting is not None:
            watch, drafting.watch = drafting.watch or watch, None
        return {"tokens": watch.tokens, "scores": watch.scores}

    @property
    def _drafting(self) -> Drafting | None:
        """What this worker drafts with; None without the plugin."""
        for name in ("drafter", "speculator"):
            drafting = getattr(getattr(self.model_runner, name, None), "drafting", None)
            if isinstance(drafting, Drafting):
                return drafting
        return None
