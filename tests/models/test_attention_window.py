from __future__ import annotations

import pytest
from transformers import (
    DeepseekV3Config,
    GPTNeoConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Starcoder2Config,
)

from cosec.errors import UnknownArchitecture
from cosec.models.attention_window import drop_idle_window, require_full_attention

WINDOWED = [MistralConfig, Starcoder2Config, Phi3Config]


@pytest.mark.parametrize("kind", WINDOWED)
def test_a_window_shorter_than_the_context_is_refused_with_the_way_out(kind: type[PreTrainedConfig]) -> None:
    config = kind(sliding_window=8, max_position_embeddings=64)
    with pytest.raises(UnknownArchitecture, match=r"latest 8 tokens.*max_position_embeddings\": 8"):
        require_full_attention(config, "'m'")
    drop_idle_window(config)
    assert config.sliding_window == 8


@pytest.mark.parametrize("kind", WINDOWED)
@pytest.mark.parametrize("window", [None, 64, 65])
def test_a_window_that_never_takes_effect_is_accepted_and_dropped(
    kind: type[PreTrainedConfig], window: int | None
) -> None:
    config = kind(sliding_window=window, max_position_embeddings=64)
    require_full_attention(config, "'m'")
    drop_idle_window(config)
    assert config.sliding_window is None


@pytest.mark.parametrize("config", [LlamaConfig(), Qwen2Config(), GPTNeoConfig(attention_types=[[["global"], 24]])])
def test_models_that_see_everything_are_accepted(config: PreTrainedConfig) -> None:
    require_full_attention(config, "'m'")


def test_compressed_keys_and_values_are_refused() -> None:
    with pytest.raises(UnknownArchitecture, match="latent attention"):
        require_full_attention(DeepseekV3Config(), "'m'")


LONG = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "rope_theta": 10000.0}
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}


@pytest.mark.parametrize(
    ("rope", "context", "accepted"),
    [
        ({**LONG, "original_max_position_embeddings": 32}, 64, False),
        ({**LONG, "original_max_position_embeddings": 32}, 32, True),
        (DYNAMIC, 64, True),
        ({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32, "rope_theta": 1e4}, 64, True),
    ],
)
def test_embeddings_that_depend_on_the_length_are_refused_beyond_it(
    rope: dict[str, object], context: int, accepted: bool
) -> None:
    config = LlamaConfig(hidden_size=32, num_attention_heads=4, max_position_embeddings=context, rope_parameters=rope)
    if accepted:
        require_full_attention(config, "'m'")
        return
    with pytest.raises(
        UnknownArchitecture, match=r"more than 32 tokens.*max_position_embeddings\": 32 and.*\"factor\": 2\.$"
    ):
        require_full_attention(config, "'m'")


def test_layers_of_other_kinds_are_refused_by_name() -> None:
    with pytest.raises(UnknownArchitecture, match="local"):
        require_full_attention(GPTNeoConfig(), "'m'")
    sliding = Qwen2Config(use_sliding_window=True, sliding_window=4, max_window_layers=0)
    with pytest.raises(UnknownArchitecture, match="sliding_attention"):
        require_full_attention(sliding, "'m'")
