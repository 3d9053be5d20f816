from types import SimpleNamespace
from typing import Any

import pytest

from cosec.errors import SettingsError
from cosec.vllm_plugin.requirements import longest_sequence, plugin_settings, required_settings
from cosec.vllm_plugin.settings import SCHEDULER, WORKER_EXTENSION


def config(**changed: Any) -> Any:
    """vLLM's configuration as the plugin needs it, with the dotted names in ``changed`` set otherwise."""
    made = SimpleNamespace(
        additional_config={"cosec": {}},
        num_speculative_tokens=4,
        use_v2_model_runner=False,
        kv_transfer_config=None,
        lora_config=None,
        speculative_config=SimpleNamespace(
            method="draft_model",
            draft_sample_method="probabilistic",
            rejection_sample_method="standard",
            parallel_drafting=False,
            use_heterogeneous_vocab=False,
            disable_padded_drafter_batch=False,
            num_speculative_tokens_per_batch_size=None,
            enable_adaptive_verification=False,
            draft_model_config=SimpleNamespace(max_model_len=1000),
        ),
        scheduler_config=SimpleNamespace(
            scheduler_cls=SCHEDULER,
            async_scheduling=False,
            enable_chunked_prefill=True,
            long_prefill_token_threshold=0,
            max_num_batched_tokens=2048,
            max_num_seqs=128,
        ),
        parallel_config=SimpleNamespace(worker_extension_cls=WORKER_EXTENSION, pipeline_parallel_size=1),
        model_config=SimpleNamespace(
            logits_processors=None, logprobs_mode="raw_logprobs", max_model_len=2000, enable_prompt_embeds=False
        ),
    )
    for name, value in changed.items():
        owner, _, field = name.rpartition("__")
        setattr(getattr(made, owner) if owner else made, field, value)
    return made


def test_a_fitting_configuration_gives_the_settings() -> None:
    assert required_settings(config()).rule == {}


def test_an_engine_that_does_not_ask_for_the_plugin_has_no_settings() -> None:
    assert plugin_settings(config(additional_config={})) is None
    assert plugin_settings(config(additional_config=None)) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"additional_config": {}}, "no settings 'cosec'"),
        ({"speculative_config": None}, "no security model"),
        ({"speculative_config__method": "eagle"}, "eagle"),
        ({"speculative_config__draft_sample_method": "greedy"}, "probabilistic"),
        ({"speculative_config__rejection_sample_method": "synthetic"}, "standard"),
        ({"speculative_config__parallel_drafting": True}, "parallel_drafting"),
        ({"speculative_config__use_heterogeneous_vocab": True}, "vocabularies differ"),
        ({"speculative_config__disable_padded_drafter_batch": True}, "disable_padded_drafter_batch"),
        ({"speculative_config__num_speculative_tokens_per_batch_size": [1]}, "draft length varies"),
        ({"speculative_config__enable_adaptive_verification": True}, "enable_adaptive_verification"),
        ({"scheduler_config__scheduler_cls": None}, "scheduler_cls"),
        ({"scheduler_config__async_scheduling": True}, "async scheduling"),
        ({"scheduler_config__enable_chunked_prefill": False}, "chunked prefill"),
        ({"scheduler_config__long_prefill_token_threshold": 3}, "long_prefill_token_threshold 3"),
        ({"scheduler_config__max_num_batched_tokens": 512}, "max_num_batched_tokens 512.*--max-num-seqs 85, or .* 768"),
        ({"additional_config": {"cosec": {"base": "target"}}, "lora_config": object()}, "--enable-lora"),
        ({"parallel_config__worker_extension_cls": ""}, "worker_extension_cls"),
        ({"use_v2_model_runner": True}, "V2 model runner"),
        ({"parallel_config__pipeline_parallel_size": 2}, "--pipeline-parallel-size 1"),
        ({"kv_transfer_config": object()}, "KV connector"),
        ({"model_config__logits_processors": ["mine"]}, "logits processors"),
        ({"model_config__enable_prompt_embeds": True}, "embeddings"),
        ({"model_config__logprobs_mode": "processed_logprobs"}, "raw_logprobs"),
    ],
)
def test_whatever_breaks_the_law_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        required_settings(config(**changed))


def test_lora_adapters_of_the_target_are_fine_beside_a_base_of_its_own() -> None:
    assert required_settings(config(lora_config=object())).base is None


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match=r"async scheduling.*KV connector"):
        required_settings(config(scheduler_config__async_scheduling=True, kv_transfer_config=object()))


def test_the_second_runner_is_allowed_only_by_name() -> None:
    allowed = config(use_v2_model_runner=True, additional_config={"cosec": {"untested_runner": True}})
    assert required_settings(allowed).untested_runner


def test_the_longest_sequence_leaves_room_for_its_last_draft_in_both_models() -> None:
    assert longest_sequence(config()) == 1000 - 8 + 1
    assert longest_sequence(config(speculative_config__draft_model_config=SimpleNamespace(max_model_len=None))) == 1993
