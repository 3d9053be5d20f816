"""llama.cpp must give the logits of transformers, whatever is done with the rows of a batch."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from cosec.runtime import TokenModel
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights
from tests.tiny import CONTEXT_LENGTH, VOCABULARY_SIZE

ARCHITECTURES = ("llama", "qwen2")
PROMPTS = [[5, 6, 7, 8, 9], [10], [11, 12, 13], [200, 201, 202, 203, 204, 205, 206, 207]]
TOLERANCE = 0.03
"""Largest difference of a logit: keys and values are rounded to 16 bits. A wrong token changes one by over 0.2."""
Made = Callable[..., tuple[PreTrainedModel, Path]]


def uncached(model: PreTrainedModel, tokens: list[int]) -> Tensor:
    """Logits after each token, from one forward of transformers over the row alone."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def assert_same(logits: Tensor, model: PreTrainedModel, rows: list[list[int]]) -> None:
    new = logits.shape[1]
    for row, tokens in enumerate(rows):
        torch.testing.assert_close(logits[row], uncached(model, tokens)[-new:], rtol=0, atol=TOLERANCE)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, gguf_of: Made) -> PreTrainedModel:
    made: PreTrainedModel = gguf_of(request.param)[0]
    return made


@pytest.fixture
def empty(model: PreTrainedModel, gguf_of: Made) -> LlamaTokenModel:
    file = gguf_of(model.config.model_type)[1]
    return LlamaTokenModel(Context(Weights(file, "tiny")), VOCABULARY_SIZE)


def test_the_tolerance_would_notice_a_wrong_token(model: PreTrainedModel) -> None:
    right, wrong = uncached(model, [5, 6, 7, 8, 9])[-1], uncached(model, [5, 7, 7, 8, 9])[-1]
    assert (right - wrong).abs().max() > 6 * TOLERANCE


def test_a_mixed_batch_equals_each_row_alone_in_transformers(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    rows = [list(prompt) for prompt in PROMPTS]
    batch = empty.prefill([row[:-1] for row in rows])
    assert batch.row_count == 4
    assert_same(batch.advance(torch.tensor([[row[-1]] for row in rows])), model, rows)
    fed = torch.tensor([[20, 21, 22], [23, 24, 25], [26, 27, 28], [29, 30, 31]])
    rows = [row + new for row, new in zip(rows, fed.tolist(), strict=True)]
    assert_same(batch.advance(fed), model, rows)


def test_rows_that_roll_back_differently_still_equal_transformers(
    model: PreTrainedModel, empty: LlamaTokenModel
) -> None:
    chance = random.Random(3)
    rows = [prompt[:-1] for prompt in PROMPTS]
    batch = empty.prefill(rows)
    for _ in range(8):
        k = chance.randrange(1, 6)
        fed = [[chance.randrange(VOCABULARY_SIZE) for _ in range(k)] for _ in rows]
        rows = [row + new for row, new in zip(rows, fed, strict=True)]
        assert_same(batch.advance(torch.tensor(fed)), model, rows)
        dropped = [chance.randrange(k + 1) for _ in rows]
        batch.rollback(dropped)
        rows = [row[: len(row) - count] for row, count in zip(rows, dropped, strict=True)]


def test_dropped_and_duplicated_rows_go_their_own_ways(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    rows = [prompt[:-1] for prompt in PROMPTS]
    batch = empty.prefill(rows)
    for order, dropped in ([3, 0, 0, 1], [0, 2, 1, 0]), ([2, 1], [1, 1]), ([1, 1, 1, 0], [2, 0, 1, 0]):
        batch.select(order)
        rows = [list(rows[row]) for row in order]
        fed = [[40 + row, 50 + row, 60 + row] for row in range(len(rows))]
        rows = [row + new for row, new in zip(rows, fed, strict=True)]
        assert_same(batch.advance(torch.tensor(fed)), model, rows)
        batch.rollback(dropped)
        rows = [row[: len(row) - count] for row, count in zip(rows, dropped, strict=True)]
    batch.select([])
    assert batch.row_count == 0


@pytest.mark.parametrize("between", ["nothing", "fork", "join", "double"])
def test_what_is_to_be_fed_later_is_fed_in_time(model: PreTrainedModel, empty: LlamaTokenModel, between: str) -> None:
    one = empty.prefill([[5, 6]])
    one.feed([7, 8, 9], later=True)
    assert [row.length for row in one.rows] == [2]
    rows = [[5, 6, 7, 8, 9]]
    if between == "fork":
        assert_same(one.fork(5).advance(torch.tensor([[10]])), model, [[*rows[0], 10]])
    elif between == "join":
        one.join([empty.prefill([[3]])])
        rows.append([3])
    elif between == "double":
        one.select([0, 0])
        rows *= 2
    for fed in ([11, 12], [13]):
        rows = [row + fed for row in rows]
        assert_same(one.advance(torch.tensor([fed] * len(rows))), model, rows)


def test_prompts_of_one_token_start_from_nothing(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    batch = empty.prefill([[], [3, 4]])
    assert_same(batch.advance(torch.tensor([[9], [9]])), model, [[9], [3, 4, 9]])


def test_a_prompt_read_in_pieces_equals_one_read_at_once(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    prompt = [index % 300 for index in range(90)]
    batch = empty.prefill([()])
    for start in range(0, 90, 40):
        batch.feed(prompt[start : start + 40])
    assert_same(batch.advance(torch.tensor([[7]])), model, [[*prompt, 7]])


def test_a_fork_remembers_the_beginning_and_leaves_the_batch_alone(
    model: PreTrainedModel, empty: LlamaTokenModel
) -> None:
    batch = empty.prefill([[5, 6, 7, 8]])
    fork = batch.fork(2)
    assert_same(fork.advance(torch.tensor([[30]])), model, [[5, 6, 30]])
    assert_same(batch.advance(torch.tensor([[31]])), model, [[5, 6, 7, 8, 31]])
    del batch
    gc.collect()
    assert_same(fork.advance(torch.tensor([[32]])), model, [[5, 6, 30, 32]])


def test_copies_of_a_row_share_its_cells(empty: LlamaTokenModel) -> None:
    """200 copies of 100 tokens fit where only 2048 tokens do."""
    batch = empty.prefill([list(range(100))])
    batch.select([0] * 200)
    before = empty.context.cells
    batch.advance(torch.zeros(200, 1, dtype=torch.long))
    assert empty.context.cells == before == 2048


def test_cells_of_batches_that_are_gone_are_used_again(empty: LlamaTokenModel) -> None:
    for _ in range(30):
        batch = empty.prefill([[7] * 100, [8] * 100])
        batch.advance(torch.tensor([[1], [2]]))
    assert empty.context.cells == 2048


def test_a_full_store_grows_and_keeps_what_it_holds(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    rows = [[index, *range(100)] for index in range(30)]  # 3000 tokens
    kept = empty.prefill([[5, 6, 7]])
    kept.select([0, 0])
    batch = empty.prefill(rows)
    assert empty.context.cells == 4096
    assert_same(batch.advance(torch.tensor([[9]] * 30))[:3], model, [[*row, 9] for row in rows[:3]])
    assert_same(kept.advance(torch.tensor([[8], [9]])), model, [[5, 6, 7, 8], [5, 6, 7, 9]])


def test_more_tokens_than_one_pass_takes_come_back_in_order(model: PreTrainedModel, empty: LlamaTokenModel) -> None:
    batch = empty.prefill([[index] for index in range(25)])
    fed = torch.randint(VOCABULARY_SIZE, (25, 100), generator=torch.Generator().manual_seed(1))  # 2500 tokens
    logits = batch.advance(fed)
    assert logits.shape == (25, 100, VOCABULARY_SIZE)
    assert_same(logits[[0, 20, 24]], model, [[index, *fed[index].tolist()] for index in (0, 20, 24)])


def test_a_draft_may_reach_beyond_the_context_for_rows_that_are_about_to_end(
    model: PreTrainedModel, empty: LlamaTokenModel
) -> None:
    rows = [[index % 300 for index in range(CONTEXT_LENGTH - 2)], [1, 2]]
    fed = [[3, 4, 5, 6], [3, 4, 5, 6]]
    logits = empty.prefill(rows).advance(torch.tensor(fed))
    assert_same(logits[1:], model, [rows[1] + fed[1]])
    assert_same(logits[:1, :2], model, [rows[0] + fed[0][:2]])


def test_logits_are_cut_to_the_shared_vocabulary(empty: LlamaTokenModel) -> None:
    narrow = LlamaTokenModel(empty.context, 300)
    logits = narrow.prefill([[1]]).advance(torch.tensor([[2, 3]]))
    assert logits.shape == (1, 2, 300)
    assert logits.dtype == torch.float32


def test_it_is_a_token_model(empty: LlamaTokenModel) -> None:
    assert isinstance(empty, TokenModel)
