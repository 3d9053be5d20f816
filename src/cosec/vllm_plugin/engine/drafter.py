"""The drafter: the security model as vLLM's draft model, with its base beside it if a rule may need one.

Axes: rows = requests of a step, k = drafted tokens.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from vllm.compilation.backends import set_model_tag
from vllm.config.utils import replace
from vllm.model_executor.model_loader import get_model
from vllm.v1.spec_decode.draft_model import DraftModelProposer

from cosec.vllm_plugin.deciding.counters import Counters
from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.requirements import required_settings
from cosec.vllm_plugin.settings import PluginSettings


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

    def compute_logits(self, hidden_states: Float[Tensor, "rows hidden_of_both"]) -> Float[Tensor, "rows logits"]:
        """The security model's scores."""
        compute: Any = self.security.compute_logits
        logits: Tensor = compute(hidden_states.chunk(2, dim=-1)[0].contiguous())
        return logits

    def base_logits(self, hidden_states: Float[Tensor, "rows hidden_of_both"]) -> Float[Tensor, "rows logits"]:
        """The base's scores."""
        compute: Any = self.base.compute_logits
        logits: Tensor = compute(hidden_states.chunk(2, dim=-1)[1].contiguous())
        return logits


def with_base(security: nn.Module, draft_config: Any, base: str) -> SecurityWithBase:
    """Load the security model's base beside it.

    Args:
        security: The loaded security model.
        draft_config: The configuration of vLLM that it was loaded with.
        base: Folder of the base, which has the same shape.
    """
    model_config = copy.copy(draft_config.model_config)
    model_config.model = base
    with set_model_tag("security_base"):  # its compiled code is kept apart from the other models'
        loaded = get_model(vllm_config=replace(draft_config, model_config=model_config), prefix="security_base")
    return SecurityWithBase(security, loaded)


def draft_logits(
    model: Any, hidden_states: Float[Tensor, "rows hidden"], drafting: Drafting
) -> tuple[Float[Tensor, "rows logits"], Float[Tensor, "rows logits"] | None]:
    """The scores of the security model, and of its base if it runs here and a rule wants it."""
    security = model.compute_logits(hidden_states)
    return security, model.base_logits(hidden_states) if drafting.needs_base() else None


def worker_drafting(settings: PluginSettings, vllm_config: Any) -> Drafting:
    """The drafts of this worker; it counts tokens unless another worker decides the same ones."""
    drafting = Drafting(settings, vllm_config.model_config.seed)
    parallel = vllm_config.parallel_config
    # Workers of one tensor-parallel group decide the same tokens.
    if parallel.rank % parallel.tensor_parallel_size == 0:
        drafting.counters = Counters()
    return drafting


class SecurityDrafter(DraftModelProposer):  # type: ignore[misc] # vLLM is not installed where types are checked
    """Drafts with the security model, as each request's rule says, and keeps the scores for the verification."""

    def __init__(self, vllm_config: Any, device: torch.device, runner: Any = None) -> None:
        settings = required_settings(vllm_config)
        super().__init__(vllm_config, device, runner)
        self.runner = runner
        self.drafting = worker_drafting(settings, vllm_config)

    def _get_model(self) -> nn.Module:
        """The security model, with its base beside it if the rules may need one."""
        security: nn.Module = super()._get_model()
        base = self.drafting.settings.base
        if base is None or not self.drafting.runs_base:
            return security
        self.hidden_states = torch.zeros(
            (self.max_num_tokens, 2 * self.hidden_size), dtype=self.dtype, device=self.device
        )
        return with_base(security, self._create_draft_vllm_config(), base)

    def set_inputs_first_pass(self, *args: Any, **kwargs: Any) -> Any:
        """Note at which place of each request's output the first drafted token will stand."""
        found = super().set_inputs_first_pass(*args, **kwargs)
        ids = self.runner.input_batch.req_ids
        last = self.positions[found[1]].tolist()
        prompts = [self.runner.requests[one].num_prompt_tokens for one in ids]
        self.drafting.begin(ids, [place + 1 - prompt for place, prompt in zip(last, prompts, strict=True)])
        return found

    def propose(self, *args: Any, **kwargs: Any) -> Int[Tensor, "rows k"]:
        """Draft for every row, and keep the drafts with their scores."""
        requests = self.runner.requests
        self.drafting.forget_others(requests.keys())
        for one in self.runner.input_batch.req_ids:
            self.drafting.enter(one, requests[one].sampling_params, requests[one].prompt_token_ids)
        token_ids: Tensor = super().propose(*args, **kwargs)
        self.drafting.keep()
        return token_ids

    def _sample_draft_tokens(
        self, hidden_states: Float[Tensor, "rows hidden"], sampling_metadata: Any
    ) -> tuple[Int[Tensor, "rows"], None]:
        """Propose the next token of each row by its own rule and random numbers."""
        return self.drafting.draw(*draft_logits(self.model, hidden_states, self.drafting)), None
