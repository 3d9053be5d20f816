"""What vLLM mixes into its worker class: importing this module installs the plugin, so no worker starts without it."""

from __future__ import annotations

from typing import Any

from cosec.errors import SettingsError
from cosec.vllm_plugin.drafter import SecurityDrafter
from cosec.vllm_plugin.installation import install
from cosec.vllm_plugin.self_check import Watch

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
        return self._drafter is not None

    def cosec_watch(self) -> None:
        """Begin to note what is verified."""
        if self._drafter is not None:
            self._drafter.drafting.watch = Watch()

    def cosec_seen(self) -> dict[str, Any]:
        """Stop noting; returns the number of tokens, the scores of a first position, and which data-parallel rank."""
        drafter, watch, rank = self._drafter, Watch(), 0
        if drafter is not None:
            watch, drafter.drafting.watch = drafter.drafting.watch or watch, None
            rank = drafter.vllm_config.parallel_config.data_parallel_rank
        return {"tokens": watch.tokens, "scores": watch.scores, "rank": rank}

    @property
    def _drafter(self) -> SecurityDrafter | None:
        drafter = getattr(self.model_runner, "drafter", None)
        return drafter if isinstance(drafter, SecurityDrafter) else None
