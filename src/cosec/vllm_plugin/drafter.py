"""The drafter: the security model as vLLM's draft model, which keeps its raw scores and those of its base.

Axes: rows = requests of a step, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from vllm.config.utils import replace
from vllm.model_executor.model_loader import get_model
from vllm.v1.spec_decode.draft_model import DraftModelProposer

from cosec.decoding.rules import rule_for
from cosec.decoding.rules.verification import Rule
from cosec.decoding.sampling import Warping
from cosec.vllm_plugin.decision import propose
from cosec.vllm_plugin.drafts import DraftStep, DraftStore
from cosec.vllm_plugin.requests import random_key, request_settings
from cosec.vllm_plugin.requirements import required_settings
from cosec.vllm_plugin.self_check import Watch


@dataclass(frozen=True, slots=True)
class RequestState:
    """What is fixed for a request: its rule and its random identity."""

    rule: Rule
    """The decoding rule."""

    key: bytes
    """The random identity."""


class SecurityWithBase(nn.Module):
    """The security model and its own base, run on the same tokens with a key-value cache each.

    The hidden states of both lie side by side, the security model's first.
    """

    def __init__(self, security: nn.Module, base: nn.Module) -> None:
        super().__init__()
        self.security = security
        self.base = base

    def forward(self, **inputs: Any) -> Float[Tensor, "tokens hidden_of_both"]:
        """Run both models."""
        return torch.cat([self.security(**inputs), self.base(**inputs)], dim=-1)

    def embed_input_ids(self, input_ids: Int[Tensor, "tokens"]) -> Float[Tensor, "tokens hidden"]:
        """The security model's embeddings."""
        embed: Any = self.security.embed_input_ids
        embedded: Tensor = embed(input_ids)
        return embedded


class SecurityDrafter(DraftModelProposer):  # type: ignore[misc] # vLLM is not installed where types are checked
    """Drafts with the security model, as each request's rule says, and keeps the scores for the verification."""

    def __init__(self, vllm_config: Any, device: torch.device, runner: Any = None) -> None:
        self.settings = required_settings(vllm_config)
        super().__init__(vllm_config, device, runner)
        self.runner = runner
        self.drafts = DraftStore()
        self.requests: dict[str, RequestState] = {}
        self.watch: Watch | None = None
        self._rules: dict[tuple[object, Warping], Rule] = {}
        self._first: list[int] = []
        self._steps: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []

    @property
    def runs_base(self) -> bool:
        """Whether the security model's base is a model of its own here."""
        return self.settings.base not in {None, "target"}

    def _get_model(self) -> nn.Module:
        """The security model, with its base beside it if the rules may need one."""
        security: nn.Module = super()._get_model()
        if not self.runs_base:
            return security
        config = self._create_draft_vllm_config()
        model_config = copy.copy(config.model_config)
        model_config.model = self.settings.base
        base = get_model(vllm_config=replace(config, model_config=model_config), prefix="security_base")
        self.hidden_states = torch.zeros(
            (self.max_num_tokens, 2 * self.hidden_size), dtype=self.dtype, device=self.device
        )
        return SecurityWithBase(security, base)

    def set_inputs_first_pass(self, *args: Any, **kwargs: Any) -> Any:
        """Note at which place of each request's output the first drafted token will stand."""
        found = super().set_inputs_first_pass(*args, **kwargs)
        last = self.positions[found[1]].tolist()
        prompts = [self.runner.requests[one].num_prompt_tokens for one in self.runner.input_batch.req_ids]
        # A row in the middle of its prompt drafts too; its draft is never used.
        self._first = [max(0, place + 1 - prompt) for place, prompt in zip(last, prompts, strict=True)]
        return found

    def propose(self, *args: Any, **kwargs: Any) -> Int[Tensor, "rows k"]:
        """Draft for every row, and keep the drafts with their scores."""
        self._steps = []
        self._forget_finished()
        token_ids: Tensor = super().propose(*args, **kwargs)
        tokens, probs, security, base = zip(*self._steps, strict=True)
        self.drafts.keep(
            DraftStep(
                request_ids=tuple(self.runner.input_batch.req_ids),
                first=self._first,
                token_ids=torch.stack(tokens, dim=1),
                proposal_probs=torch.stack(probs, dim=1),
                security_log_probs=torch.stack(security, dim=1),
                base_log_probs=None if base[0] is None else torch.stack(base, dim=1),
            )
        )
        return token_ids

    def _sample_draft_tokens(
        self, hidden_states: Float[Tensor, "rows hidden"], sampling_metadata: Any
    ) -> tuple[Int[Tensor, "rows"], None]:
        """Propose the next token of each row by its own rule and random numbers."""
        states = [self.state(one) for one in self.runner.input_batch.req_ids]
        rules = [state.rule for state in states]
        security, base = self._scores(hidden_states, any(rule.needs_base for rule in rules))
        positions = [first + len(self._steps) for first in self._first]
        tokens, probs = propose(rules, [state.key for state in states], positions, security)
        self._steps.append((tokens, probs, security, base))
        return tokens, None

    def _scores(self, hidden_states: Tensor, with_base: bool) -> tuple[Tensor, Tensor | None]:
        """Raw log-probabilities of the security model, and of its base if they are wanted and not the target's."""
        if not self.runs_base:
            return self.log_probs(self.model.compute_logits(hidden_states)), None
        security, base = hidden_states.chunk(2, dim=-1)
        return (
            self.log_probs(self.model.security.compute_logits(security.contiguous())),
            self.log_probs(self.model.base.compute_logits(base.contiguous())) if with_base else None,
        )

    def log_probs(self, logits: Float[Tensor, "rows logits"]) -> Float[Tensor, "rows vocab"]:
        """Raw log-probabilities over the vocabulary that both models share."""
        return logits[..., : self.settings.shared_vocabulary].float().log_softmax(dim=-1)

    def state(self, request_id: str) -> RequestState:
        """The rule and the random identity of a running request."""
        known = self.requests.get(request_id)
        if known is None:
            request = self.runner.requests[request_id]
            settings = request_settings(request.sampling_params, self.settings)
            same = (settings.rule, Warping.of(settings.sampling))
            rule = self._rules.setdefault(same, rule_for(settings))
            seed = self.vllm_config.model_config.seed
            known = RequestState(rule, random_key(request.sampling_params, request.prompt_token_ids, request_id, seed))
            self.requests[request_id] = known
        return known

    def _forget_finished(self) -> None:
        """Drop what is kept of requests that have left the engine."""
        running: Mapping[str, object] = self.runner.requests
        gone = [one for one in {*self.requests, *self.drafts.request_ids()} if one not in running]
        self.drafts.forget(gone)
        for one in gone:
            self.requests.pop(one, None)
        if not self.requests:
            self._rules.clear()
