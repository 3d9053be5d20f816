"""Counts what the rules decide, under the names that CoSec's own server uses.

The rules run in vLLM's worker processes, and another process answers ``/metrics``. prometheus_client's multiprocess
mode connects them: each process writes its counters to the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, and vLLM's
``/metrics`` adds them up. ``cosec serve --engine vllm`` sets the variable.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from cosec.vllm_plugin.deciding.decision import NO_TOKEN, Decided


class Counters:
    """The counters of one worker; of workers that decide the same tokens, one counts.

    A token is counted when it is decided. vLLM drops those that follow the end of a text in its last round.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter

        self.registry = CollectorRegistry()
        """What holds the counters in this process."""

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cosec_{name}", text, labels, registry=self.registry)

        self._tokens = counter("tokens", "Decided tokens by the model that chose them", "source")
        self._drafted = counter("draft_tokens", "Proposals of the security model that were verified")
        self._accepted = counter("accepted_tokens", "Proposals of the security model that were accepted")
        self._changed = counter("changed_tokens", "Decided tokens that are not the target's most likely one")
        self._decisions = counter("decision_tokens", "Decided tokens at security decisions")

    def note(self, target_log_probs: Float[Tensor, "rows k vocab"], decided: Decided) -> None:
        """Count the tokens of one step.

        Args:
            target_log_probs: The target's raw log-probabilities at each drafted position.
            decided: What the rules made of the drafts.
        """
        emitted = decided.token_ids != NO_TOKEN
        chosen = target_log_probs.gather(-1, decided.token_ids.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        tokens, accepted = int(emitted.sum()), sum(decided.accepted)
        # Without a bonus token, every token is an accepted proposal or replaces a rejected one.
        self._drafted.inc(tokens)
        self._accepted.inc(accepted)
        self._tokens.labels("security").inc(accepted)
        self._tokens.labels("target").inc(tokens - accepted)
        self._changed.inc(int((emitted & (chosen < target_log_probs.amax(dim=-1))).sum()))
        if decided.gated is not None:
            self._decisions.inc(int((emitted & decided.gated).sum()))
