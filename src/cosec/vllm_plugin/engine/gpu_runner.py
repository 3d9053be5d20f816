"""Our rules in vLLM's V2 model runner, its default on GPUs.

Written against the source of vLLM 0.32.0 and not yet run: the runner needs Triton and a GPU. Its tensor code is shared
with the V1 runner or is in :mod:`cosec.vllm_plugin.deciding.flat_batch`, and is tested on processors.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from vllm.v1.worker.gpu.sample.logprob import compute_topk_scores
from vllm.v1.worker.gpu.sample.output import SamplerOutput
from vllm.v1.worker.gpu.sample.states import NO_LOGPROBS
from vllm.v1.worker.gpu.spec_decode.standalone_ar.speculator import StandaloneARSpeculator

from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.deciding.flat_batch import counts, flat_step, flat_tokens, next_tokens
from cosec.vllm_plugin.deciding.verification import verify
from cosec.vllm_plugin.engine.drafter import draft_logits, with_base, worker_drafting
from cosec.vllm_plugin.requirements import required_settings


class SecuritySpeculator(StandaloneARSpeculator):  # type: ignore[misc] # vLLM is not installed where types are checked
    """Drafts with the security model, as each request's rule says, and keeps the scores for the verification."""

    def __init__(self, vllm_config: Any, device: torch.device) -> None:
        settings = required_settings(vllm_config)
        super().__init__(vllm_config, device)
        self.drafting = worker_drafting(settings, vllm_config)
        self._request_ids: list[str] | None = None

    def load_draft_model(self, target_model: nn.Module, target_attn_layer_names: set[str]) -> nn.Module:
        """The security model, with its base beside it if the rules may need one."""
        security: nn.Module = super().load_draft_model(target_model, target_attn_layer_names)
        base = self.drafting.settings.base
        if base is None or not self.drafting.runs_base:
            return security
        return with_base(security, self._draft_vllm_config, base)

    def propose(
        self,
        input_batch: Any,
        attn_metadata: Any,
        slot_mappings: Any,
        last_hidden_states: Any,
        aux_hidden_states: Any,
        num_sampled: Int[Tensor, "batch"],
        num_rejected: Int[Tensor, "batch"],
        last_sampled: Int[Tensor, "slots one"],
        next_prefill_tokens: Int[Tensor, "ahead slots"],
        *args: Any,
        **kwargs: Any,
    ) -> Int[Tensor, "batch k"]:
        """Draft for every row, and keep the drafts with their scores."""
        self._request_ids = None if kwargs.get("dummy_run") else list(input_batch.req_ids)
        if self._request_ids is not None:
            slots = input_batch.idx_mapping
            last = next_tokens(last_sampled.flatten(), next_prefill_tokens[0], slots, num_sampled)
            last_sampled = last.reshape(last_sampled.shape)
        tokens: Tensor = super().propose(
            input_batch,
            attn_metadata,
            slot_mappings,
            last_hidden_states,
            aux_hidden_states,
            num_sampled,
            num_rejected,
            last_sampled,
            next_prefill_tokens,
            *args,
            **kwargs,
        )
        if self._request_ids is not None:
            self.drafting.keep()
        return tokens

    def sample_draft(
        self, hidden_states: Float[Tensor, "rows hidden"], sample_src_positions: Int[Tensor, "rows"], *args: Any
    ) -> Int[Tensor, "rows"]:
        """Propose the next token of each row by its own rule and random numbers."""
        if self._request_ids is None:
            drawn: Tensor = self.model.compute_logits(hidden_states).argmax(dim=-1)
            return drawn
        if int(self.current_draft_step) == 0:
            prompts = [self.drafting.state(one).prompt_length for one in self._request_ids]
            places = sample_src_positions.tolist()
            first = [place + 1 - prompt for place, prompt in zip(places, prompts, strict=True)]
            self.drafting.begin(self._request_ids, first)
        return self.drafting.draw(*draft_logits(self.model, hidden_states, self.drafting))


def enter_requests(runner: Any, scheduler_output: Any) -> None:
    """Note the requests that a step admits, and forget those that have left."""
    drafting: Drafting = runner.speculator.drafting
    admitted = scheduler_output.scheduled_new_reqs
    drafting.forget_others({*runner.req_states.req_id_to_index, *(one.req_id for one in admitted)})
    for one in admitted:
        drafting.enter(one.req_id, one.sampling_params, one.prompt_token_ids)


def sampled(runner: Any, hidden_states: Float[Tensor, "tokens hidden"], batch: Any) -> tuple[SamplerOutput, Any, Any]:
    """The tokens of a step of the V2 model runner, with the numbers of given and of taken back ones."""
    drafting: Drafting = runner.speculator.drafting
    logits = runner.model.compute_logits(hidden_states[batch.logits_indices])
    slots = batch.idx_mapping
    step = flat_step(
        batch.req_ids,
        prompt_lengths=[drafting.state(one).prompt_length for one in batch.req_ids],
        known_lengths=runner.req_states.prefill_len.gpu[slots].tolist(),
        bounds=batch.cu_num_logits[: len(batch.req_ids) + 1].tolist(),
        tokens=batch.input_ids[batch.logits_indices].tolist(),
        positions=batch.positions[batch.logits_indices].tolist(),
        sequence_lengths=batch.seq_lens[: len(batch.req_ids)].tolist(),
    )
    verified = verify(step, drafting, logits, with_scores=False)
    given, taken_back = counts(verified.token_ids, step)
    wanted = runner.sampler.sampling_states.max_num_logprobs(batch.idx_mapping_np)
    logprobs = None
    if wanted != NO_LOGPROBS:
        tokens = flat_tokens(verified.token_ids, step)
        logprobs = compute_topk_scores(logits, wanted, tokens, batch.cu_num_logits_np.tolist())
    output = SamplerOutput(
        sampled_token_ids=verified.token_ids,
        logprobs_tensors=logprobs,
        num_nans=None,
        num_sampled=given,
        num_rejected=taken_back,
    )
    return output, given, taken_back
