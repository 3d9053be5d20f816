"""What the plugin needs of an engine's configuration; an engine that does not have it refuses to start."""

from __future__ import annotations

from typing import Any

from cosec.errors import SettingsError
from cosec.vllm_plugin.settings import CONFIG_KEY, SCHEDULER, WORKER_EXTENSION, PluginSettings


def plugin_settings(vllm_config: Any) -> PluginSettings | None:
    """The plugin's settings in vLLM's configuration; None if it does not ask for the plugin.

    Raises:
        SettingsError: If the settings are not valid.
    """
    given = (vllm_config.additional_config or {}).get(CONFIG_KEY)
    return None if given is None else PluginSettings.read(given)


def required_settings(vllm_config: Any) -> PluginSettings:
    """The plugin's settings, after checking that the engine is configured as the plugin needs it.

    Raises:
        SettingsError: If the configuration lacks the settings, or anything that the law depends on; the message names
            everything that is wrong.
    """
    settings = plugin_settings(vllm_config)
    if settings is None:
        raise SettingsError(
            f"vLLM was started with CoSec's scheduler but additional_config has no settings {CONFIG_KEY!r} for it."
        )
    wrong = [*_wrong_drafting(vllm_config.speculative_config), *_wrong_engine(vllm_config)]
    if settings.base == "target" and vllm_config.lora_config is not None:
        wrong.append("LoRA adapters (--enable-lora) would change the target, which is the security model's base here")
    if vllm_config.use_v2_model_runner and not settings.untested_runner:
        wrong.append("vLLM's V2 model runner is selected (set VLLM_USE_V2_MODEL_RUNNER=0)")
    if wrong:
        raise SettingsError("CoSec's rules cannot hold in this engine: " + "; ".join(wrong) + ".")
    return settings


def _wrong_drafting(config: Any) -> list[str]:
    """What is wrong with the speculative configuration."""
    if config is None:
        return ["there is no speculative_config, so no security model"]
    checks = {
        f"speculative method {config.method!r} instead of 'draft_model'": config.method == "draft_model",
        "draft_sample_method is not 'probabilistic', so drafts would be greedy": config.draft_sample_method
        == "probabilistic",
        "rejection_sample_method is not 'standard'": config.rejection_sample_method == "standard",
        "parallel_drafting is on": not config.parallel_drafting,
        "the models' vocabularies differ (use_heterogeneous_vocab)": not config.use_heterogeneous_vocab,
        "disable_padded_drafter_batch is on": not config.disable_padded_drafter_batch,
        "the draft length varies with the batch (num_speculative_tokens_per_batch_size)": (
            not config.num_speculative_tokens_per_batch_size
        ),
        "the draft length varies with the requests (enable_adaptive_verification)": (
            not config.enable_adaptive_verification
        ),
    }
    return [problem for problem, fine in checks.items() if not fine]


def _wrong_engine(config: Any) -> list[str]:
    """What is wrong with the rest of the configuration."""
    scheduler, model = config.scheduler_config, config.model_config
    block = config.num_speculative_tokens + 2
    threshold = scheduler.long_prefill_token_threshold
    checks = {
        f"scheduler_cls is not {SCHEDULER}": scheduler.scheduler_cls == SCHEDULER,
        f"worker_extension_cls is not {WORKER_EXTENSION}": config.parallel_config.worker_extension_cls
        == WORKER_EXTENSION,
        "vLLM cannot draft with a model in a pipeline (--pipeline-parallel-size 1; --tensor-parallel-size divides both "
        "models)": config.parallel_config.pipeline_parallel_size == 1,
        "async scheduling is on (--no-async-scheduling)": not scheduler.async_scheduling,
        "chunked prefill is off, so prompts cannot be read up to their last token": scheduler.enable_chunked_prefill,
        f"long_prefill_token_threshold {threshold} is below {block}": threshold == 0 or threshold >= block,
        f"max_num_batched_tokens {scheduler.max_num_batched_tokens} is below max_num_seqs {scheduler.max_num_seqs} * "
        f"{block}, so a draft might wait for ever (--max-num-seqs {scheduler.max_num_batched_tokens // block}, or "
        f"--max-num-batched-tokens {scheduler.max_num_seqs * block})": (
            scheduler.max_num_batched_tokens >= scheduler.max_num_seqs * block
        ),
        "a KV connector is set, whose loads skip the security model": config.kv_transfer_config is None,
        "custom logits processors are set": not model.logits_processors,
        "prompts may be embeddings, which the security model cannot read": not model.enable_prompt_embeds,
        f"logprobs_mode {model.logprobs_mode!r} instead of 'raw_logprobs'": model.logprobs_mode == "raw_logprobs",
    }
    return [problem for problem, fine in checks.items() if not fine]


def longest_sequence(vllm_config: Any) -> int:
    """Largest number of tokens, prompt included, at which every step can still draft.

    The last step of such a sequence drafts k tokens beyond it, and the drafter writes k places more.
    """
    draft = vllm_config.speculative_config.draft_model_config.max_model_len
    context = min(vllm_config.model_config.max_model_len, draft or vllm_config.model_config.max_model_len)
    return int(context) - 2 * int(vllm_config.num_speculative_tokens) + 1
