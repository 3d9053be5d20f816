from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor
from transformers import MistralConfig, Phi3Config, PreTrainedConfig, PreTrainedModel, Starcoder2Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, PairedLanes, TargetLane, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.errors import ModelError
from cosec.runtime import TokenModel, TorchTokenModel
from cosec.runtime.torch.kv_cache import attend_to_prefixes
from tests.models.lora import attached
from tests.tiny import ARCHITECTURES, CONTEXT_LENGTH, VOCABULARY_SIZE, tiny_model

PROMPTS = [[5, 6, 7, 8, 9], [10], [11, 12, 13], [200, 201, 202, 203, 204, 205, 206, 207]]


def uncached(model: PreTrainedModel, tokens: list[int]) -> Tensor:
    """Logits after each token, from one forward over the row alone, shape (tokens, vocab)."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def assert_same(logits: Tensor, model: PreTrainedModel, rows: list[list[int]]) -> None:
    new = logits.shape[1]
    for row, tokens in enumerate(rows):
        torch.testing.assert_close(logits[row], uncached(model, tokens)[-new:], rtol=1e-4, atol=1e-4)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


def test_a_mixed_batch_equals_each_row_alone_without_a_cache(model: PreTrainedModel) -> None:
    rows = [list(prompt) for prompt in PROMPTS]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill([row[:-1] for row in rows])
    assert batch.row_count == 4
    assert_same(batch.advance(torch.tensor([[row[-1]] for row in rows])), model, rows)
    fed = torch.tensor([[20, 21, 22], [23, 24, 25], [26, 27, 28], [29, 30, 31]])
    rows = [row + new for row, new in zip(rows, fed.tolist(), strict=True)]
    assert_same(batch.advance(fed), model, rows)


def test_rows_that_roll_back_differently_still_equal_the_uncached_model(model: PreTrainedModel) -> None:
    chance = random.Random(3)
    rows = [prompt[:-1] for prompt in PROMPTS]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill(rows)
    rows = [list(row) for row in rows]
    for _ in range(8):
        k = chance.randrange(1, 6)
        fed = [[chance.randrange(VOCABULARY_SIZE) for _ in range(k)] for _ in rows]
        rows = [row + new for row, new in zip(rows, fed, strict=True)]
        assert_same(batch.advance(torch.tensor(fed)), model, rows)
        dropped = [chance.randrange(k) for _ in rows]
        batch.rollback(dropped)
        rows = [row[: len(row) - count] for row, count in zip(rows, dropped, strict=True)]


def test_dropped_and_duplicated_rows_still_equal_the_uncached_model(model: PreTrainedModel) -> None:
    rows = [prompt[:-1] for prompt in PROMPTS]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill(rows)
    for order, dropped in ([3, 0, 0, 1], [0, 2, 1, 0]), ([2, 1], [1, 1]), ([1, 1, 1, 0], [2, 0, 1, 0]):
        batch.select(order)
        rows = [list(rows[row]) for row in order]
        fed = [[40 + row, 50 + row, 60 + row] for row in range(len(rows))]
        rows = [row + new for row, new in zip(rows, fed, strict=True)]
        assert_same(batch.advance(torch.tensor(fed)), model, rows)
        batch.rollback(dropped)
        rows = [row[: len(row) - count] for row, count in zip(rows, dropped, strict=True)]
    assert batch.row_count == 4


def test_a_compacted_cache_still_equals_the_uncached_model(model: PreTrainedModel) -> None:
    rows = [[1, 2], [3, 4, 5]]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill(rows)
    assert batch.cache is not None
    rows = [list(row) for row in rows]
    compactions = 0
    for step in range(14):
        fed = [[(step * 16 + index + row) % VOCABULARY_SIZE for index in range(16)] for row in range(2)]
        batch.advance(torch.tensor(fed))
        kept = [2, 14] if step % 2 else [14, 2]
        rows = [row + new[:count] for row, new, count in zip(rows, fed, kept, strict=True)]
        before = batch.cache.slots
        batch.rollback([16 - count for count in kept])
        compactions += batch.cache.slots < before - 2
        if max(map(len, rows)) > 100:
            break
    assert compactions, "the cache was never compacted"
    last = [[7], [8]]
    rows = [row + new for row, new in zip(rows, last, strict=True)]
    assert_same(batch.advance(torch.tensor(last)), model, rows)


def test_prompts_of_one_token_start_from_nothing(model: PreTrainedModel) -> None:
    for prompts in ([[]], [[], []], [[], [3, 4]]):
        batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill(prompts)
        fed = [[9]] * len(prompts)
        assert_same(batch.advance(torch.tensor(fed)), model, [[*prompt, 9] for prompt in prompts])


@pytest.mark.parametrize("between", ["nothing", "fork", "join", "double"])
def test_what_is_to_be_fed_later_is_fed_in_time(model: PreTrainedModel, between: str) -> None:
    one = TorchTokenModel(model, VOCABULARY_SIZE).prefill([[5, 6]])
    one.feed([7, 8, 9], later=True)
    assert one.cache is not None
    assert one.cache.slots == 2
    rows = [[5, 6, 7, 8, 9]]
    if between == "fork":
        assert_same(one.fork(5).advance(torch.tensor([[10]])), model, [[*rows[0], 10]])
    elif between == "join":
        one.join([TorchTokenModel(model, VOCABULARY_SIZE).prefill([[3]])])
        rows.append([3])
    elif between == "double":
        one.select([0, 0])
        rows *= 2
    for fed in ([11, 12], [13]):
        rows = [row + fed for row in rows]
        assert_same(one.advance(torch.tensor([fed] * len(rows))), model, rows)


def test_a_batch_equals_transformers_own_left_padded_batch(model: PreTrainedModel) -> None:
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in PROMPTS])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS])
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        theirs = model(input_ids=ids, attention_mask=mask, position_ids=places).logits[:, -1]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill([prompt[:-1] for prompt in PROMPTS])
    ours = batch.advance(torch.tensor([[prompt[-1]] for prompt in PROMPTS]))[:, -1]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_prefilling_does_not_disturb_a_running_batch(model: PreTrainedModel) -> None:
    weights = TorchTokenModel(model, VOCABULARY_SIZE)
    first = weights.prefill([[1, 2, 3]])
    first.advance(torch.tensor([[4]]))
    weights.prefill([[9, 9, 9, 9]]).advance(torch.tensor([[9]]))
    assert_same(first.advance(torch.tensor([[5]])), model, [[1, 2, 3, 4, 5]])


def test_logits_are_float32_and_cut_to_the_shared_vocabulary() -> None:
    model = tiny_model("qwen2", head_width=VOCABULARY_SIZE + 40).to(torch.bfloat16)
    logits = TorchTokenModel(model, VOCABULARY_SIZE).prefill([[1]]).advance(torch.tensor([[2, 3]]))
    assert logits.shape == (1, 2, VOCABULARY_SIZE)
    assert logits.dtype == torch.float32


def test_a_draft_may_reach_beyond_the_context_for_rows_that_are_about_to_end(model: PreTrainedModel) -> None:
    # Row 0 has room for one more token, row 1 for many: the block of four runs past row 0's context.
    rows = [[index % 300 for index in range(CONTEXT_LENGTH - 2)], [1, 2]]
    batch = TorchTokenModel(model, VOCABULARY_SIZE).prefill(rows)
    fed = [[3, 4, 5, 6], [3, 4, 5, 6]]
    logits = batch.advance(torch.tensor(fed))
    torch.testing.assert_close(logits[1], uncached(model, rows[1] + fed[1])[-4:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits[0, :2], uncached(model, rows[0] + fed[0][:2])[-2:], rtol=1e-4, atol=1e-4)


def windowed(kind: type[PreTrainedConfig], *, window: int, context: int) -> PreTrainedModel:
    config = kind(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=window,
        max_position_embeddings=context,
        pad_token_id=0,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


WINDOWED = [MistralConfig, Starcoder2Config, Phi3Config]


@pytest.mark.parametrize("kind", WINDOWED)
def test_layers_that_forget_are_refused(kind: type[PreTrainedConfig]) -> None:
    model = windowed(kind, window=8, context=64)
    with pytest.raises(ModelError, match="latest 8 tokens"):
        TorchTokenModel(model, 32)


@pytest.mark.parametrize("kind", WINDOWED)
@pytest.mark.parametrize("sharing", [False, True])
def test_holes_do_not_count_against_a_window_as_long_as_the_context(
    kind: type[PreTrainedConfig], sharing: bool
) -> None:
    model, plain = (windowed(kind, window=24, context=24) for _ in range(2))
    if sharing:
        assert attend_to_prefixes(model)
    rows = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]
    batch = TorchTokenModel(model, 32).prefill(rows[:1])
    batch.select([0, 0])
    for step in range(16):  # each row keeps two of eight tokens in turn, so that holes outnumber tokens
        fed = [[8 + (step + row + place) % 20 for place in range(8)] for row in range(2)]
        batch.advance(torch.tensor(fed))
        kept = [2, 0] if step % 2 else [0, 2]
        batch.rollback([8 - count for count in kept])
        rows = [row + new[:count] for row, new, count in zip(rows, fed, kept, strict=True)]
    assert batch.cache is not None
    assert batch.cache.slots > 24
    assert_same(batch.advance(torch.tensor([[30], [31]])), plain, [[*rows[0], 30], [*rows[1], 31]])


def test_a_cached_model_is_a_token_model() -> None:
    assert isinstance(TorchTokenModel(tiny_model(), VOCABULARY_SIZE), TokenModel)


def decode(lanes: Lanes, draft_length: int | str, limit: int = 24, **rule: object) -> list[list[int]]:
    chosen = DecodingSettings(
        rule=ThresholdSettings(**rule),
        sampling=SamplingSettings(temperature=0.8, top_p=0.95, max_new_tokens=limit, draft_length=draft_length),
    )
    requests = [
        SequenceRequest(prompt_ids=tuple(prompt), sample_index=sample, max_new_tokens=limit - 3 * sample)
        for prompt in PROMPTS
        for sample in range(2)
    ]
    run = Run(lanes, rule_for(chosen), chosen, requests)
    texts: list[list[int]] = [[] for _ in requests]
    while emissions := run.step():
        for emission in emissions:
            texts[emission.sequence].extend(record.token_id for record in emission.records)
    return texts


def two_models(architecture: str) -> TwoModelLanes:
    security, target = (TorchTokenModel(tiny_model(architecture, seed=seed), VOCABULARY_SIZE) for seed in (1, 0))
    return TwoModelLanes(security, target)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_draft_length_never_changes_the_text_of_a_mixed_batch(architecture: str) -> None:
    texts = [decode(two_models(architecture), draft_length) for draft_length in (1, 3, "auto")]
    assert texts[0] == texts[1] == texts[2]
    assert len({tuple(text) for text in texts[0]}) == len(texts[0])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_threshold_one_is_the_target_alone_for_real_models(architecture: str) -> None:
    alone = decode(TargetLane(TorchTokenModel(tiny_model(architecture), VOCABULARY_SIZE)), 1)
    assert decode(two_models(architecture), 3, threshold=1.0) == alone


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shared_weights_give_the_text_of_two_models(architecture: str) -> None:
    model, switch, merged = attached(architecture)
    paired = PairedLanes(TorchTokenModel(model, VOCABULARY_SIZE, switch, "leading half"))
    drafting = TwoModelLanes(
        TorchTokenModel(model, VOCABULARY_SIZE, switch, "on"), TorchTokenModel(model, VOCABULARY_SIZE)
    )
    separate = TwoModelLanes(
        TorchTokenModel(merged, VOCABULARY_SIZE), TorchTokenModel(tiny_model(architecture), VOCABULARY_SIZE)
    )
    expected = decode(separate, 1)
    assert decode(paired, 1) == expected
    assert decode(drafting, 3) == expected
    assert decode(paired, "auto") == expected
