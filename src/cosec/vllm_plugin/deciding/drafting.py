"""What one worker knows of the requests it drafts for: their rules, their random numbers and their latest drafts.

Both of vLLM's model runners use it; it knows neither.

Axes: rows = requests of a step, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.rules import rule_for
from cosec.decoding.rules.verification import Rule
from cosec.decoding.sampling import Warping
from cosec.vllm_plugin.deciding.counters import Counters
from cosec.vllm_plugin.deciding.decision import propose
from cosec.vllm_plugin.deciding.drafts import DraftStep, DraftStore
from cosec.vllm_plugin.deciding.watch import Watch
from cosec.vllm_plugin.requests import SamplingParameters, random_key, request_settings
from cosec.vllm_plugin.settings import PluginSettings


@dataclass(frozen=True, slots=True)
class RequestState:
    """What is fixed for a request: its rule and its random identity."""

    rule: Rule
    """The decoding rule."""

    key: bytes
    """The random identity."""

    prompt_length: int
    """Number of tokens of the prompt."""


class Drafting:
    """The drafts of a worker, and how each request is decided.

    Args:
        settings: The server's settings.
        engine_seed: The engine's seed, for requests without one.
    """

    def __init__(self, settings: PluginSettings, engine_seed: int) -> None:
        self.settings = settings
        self.drafts = DraftStore()
        self.watch: Watch | None = None
        """Notes what is verified, for the start-up check; None at other times."""
        self.counters: Counters | None = None
        """Counts what is decided outside the check; None in workers that decide what another one does."""
        self._seed = engine_seed
        self._states: dict[str, RequestState] = {}
        # A rule is kept while a request has it: every temperature of a busy server would stay otherwise.
        self._rules: WeakValueDictionary[tuple[object, Warping], Rule] = WeakValueDictionary()
        self._request_ids: Sequence[str] = ()
        self._first: Sequence[int] = ()
        self._steps: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []

    @property
    def runs_base(self) -> bool:
        """Whether the security model's base is a model of its own here."""
        return self.settings.base not in {None, "target"}

    def enter(self, request_id: str, params: SamplingParameters, prompt_ids: Sequence[int]) -> None:
        """Note a request, unless it is known.

        Raises:
            SettingsError: If our rules cannot decode it.
        """
        if request_id not in self._states:
            settings = request_settings(params, self.settings)
            rule = self._rules.setdefault((settings.rule, Warping.of(settings.sampling)), rule_for(settings))
            key = random_key(params, prompt_ids, request_id, self._seed)
            self._states[request_id] = RequestState(rule, key, len(prompt_ids))

    def state(self, request_id: str) -> RequestState:
        """The rule and the random identity of a request that was entered."""
        return self._states[request_id]

    def forget_others(self, running: Collection[str]) -> None:
        """Drop what is kept of requests that are no longer running."""
        gone = [one for one in {*self._states, *self.drafts.request_ids()} if one not in running]
        self.drafts.forget(gone)
        for one in gone:
            self._states.pop(one, None)

    def begin(self, request_ids: Sequence[str], first: Sequence[int]) -> None:
        """Begin a draft of every row.

        Args:
            request_ids: The request of each row.
            first: For each, the index among its output tokens of the first one drafted. Rows in the middle of a prompt
                draft too; their drafts are never used.
        """
        self._request_ids, self._first, self._steps = tuple(request_ids), [max(0, one) for one in first], []

    def needs_base(self) -> bool:
        """Whether the rule of a row compares the security model with a base that runs here."""
        return self.runs_base and any(self.state(one).rule.needs_base for one in self._request_ids)

    def draw(
        self, security_logits: Float[Tensor, "rows logits"], base_logits: Float[Tensor, "rows logits"] | None
    ) -> Int[Tensor, "rows"]:
        """Propose the next token of each row by its own rule and random numbers, and keep the scores."""
        states = [self.state(one) for one in self._request_ids]
        security = self.log_probs(security_logits)
        positions = [first + len(self._steps) for first in self._first]
        tokens, probs = propose([state.rule for state in states], [state.key for state in states], positions, security)
        base = None if base_logits is None else self.log_probs(base_logits)
        self._steps.append((tokens, probs, security, base))
        return tokens

    def keep(self) -> None:
        """Keep the drafts that were drawn since ``begin``."""
        tokens, probs, security, base = zip(*self._steps, strict=True)
        self.drafts.keep(
            DraftStep(
                request_ids=self._request_ids,
                first=self._first,
                token_ids=torch.stack(tokens, dim=1),
                proposal_probs=torch.stack(probs, dim=1),
                security_log_probs=torch.stack(security, dim=1),
                base_log_probs=None if base[0] is None else torch.stack(base, dim=1),
            )
        )
        self._steps = []

    def log_probs(self, logits: Float[Tensor, "rows logits"]) -> Float[Tensor, "rows vocab"]:
        """Raw log-probabilities over the vocabulary that both models share."""
        return logits[..., : self.settings.shared_vocabulary].float().log_softmax(dim=-1)
