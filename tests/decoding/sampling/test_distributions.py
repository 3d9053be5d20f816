from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from cosec.decoding.sampling import TokenDistribution, most_likely, raw_distribution, warped_distribution


def plain_top_p(logits: Tensor, temperature: float, top_p: float) -> Tensor:
    """Top-p by sorting everything; tokens as likely as the last kept one stay with it."""
    probs = (logits.double() / temperature).softmax(-1)
    ordered = probs.sort(descending=True).values
    reached = (ordered.cumsum(0) < top_p).sum().clamp(max=len(ordered) - 1)
    kept = torch.where(probs >= ordered[reached], probs, 0.0)
    return kept / kept.sum()


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([2, 5, 31, 32, 33, 700, 4096, 5003]),
    temperature=st.floats(0.2, 3),
    top_p=st.floats(0.05, 0.995),
    scale=st.floats(0.1, 5),
)
def test_top_p_equals_a_plain_sort(seed: int, vocabulary: int, temperature: float, top_p: float, scale: float) -> None:
    logits = torch.randn(3, vocabulary, generator=torch.Generator().manual_seed(seed)) * scale
    dense = warped_distribution(logits.log_softmax(-1), temperature, top_p).dense(vocabulary).double()
    for row in range(3):
        expected = plain_top_p(logits[row], temperature, top_p)
        # A cut that falls within rounding of top_p may go either way.
        mass = (logits[row].double() / temperature).softmax(-1).sort(descending=True).values.cumsum(0)
        if float((mass - top_p).abs().min()) > 1e-5:
            torch.testing.assert_close(dense[row], expected, rtol=1e-4, atol=1e-7)


def plain_cuts(logits: Tensor, top_p: float, top_k: int, min_p: float) -> Tensor:
    """Min-p, top-k and top-p one after the other, by sorting; each renormalises what is left."""
    probs = logits.double().softmax(-1)
    probs = torch.where(probs >= min_p * probs.max(), probs, 0.0)
    if top_k:
        probs = torch.where(probs >= probs.sort(descending=True).values[min(top_k, len(probs)) - 1], probs, 0.0)
    probs = probs / probs.sum()
    ordered = probs.sort(descending=True).values
    reached = (ordered.cumsum(0) < top_p).sum().clamp(max=len(ordered) - 1)
    kept = torch.where(probs >= ordered[reached], probs, 0.0) if top_p < 1 else probs
    return kept / kept.sum()


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([2, 5, 33, 700, 4096]),
    top_p=st.sampled_from([0.05, 0.5, 0.93, 1.0]),
    top_k=st.sampled_from([0, 1, 2, 31, 32, 33, 600, 10**6]),
    min_p=st.sampled_from([0.0, 1e-9, 0.01, 0.3, 1.0]),
    scale=st.floats(0.1, 5),
)
def test_min_p_top_k_and_top_p_cut_one_after_the_other(
    seed: int, vocabulary: int, top_p: float, top_k: int, min_p: float, scale: float
) -> None:
    logits = torch.randn(3, vocabulary, generator=torch.Generator().manual_seed(seed)) * scale
    dense = warped_distribution(logits.log_softmax(-1), 1.0, top_p, top_k, min_p).dense(vocabulary).double()
    for row in range(3):
        expected = plain_cuts(logits[row], top_p, top_k, min_p)
        probs = plain_cuts(logits[row], 1.0, top_k, min_p)
        near = float((probs.sort(descending=True).values.cumsum(0) - top_p).abs().min()) < 1e-5
        raw = logits[row].double().softmax(-1)
        near |= float((raw / raw.max() - min_p).abs().min()) < 1e-6 and min_p < 1
        if top_p == 1.0 or not near:  # a cut within rounding may go either way
            torch.testing.assert_close(dense[row], expected, rtol=1e-4, atol=1e-7)


def test_cuts_that_cut_nothing_change_not_a_bit() -> None:
    log_probs = torch.randn(4, 500, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
    plain, given_ = warped_distribution(log_probs, 0.7, 0.9), warped_distribution(log_probs, 0.7, 0.9, 0, 0.0)
    assert torch.equal(plain.probs, given_.probs)
    assert torch.equal(warped_distribution(log_probs, 0.7, 1.0, 0, 0.0).probs, (log_probs / 0.7).softmax(-1))


def test_tokens_as_likely_as_the_last_of_top_k_stay_with_it() -> None:
    log_probs = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0]]).log_softmax(-1)
    assert warped_distribution(log_probs, 1.0, 1.0, top_k=2).dense(5)[0].gt(0).tolist() == [True] * 4 + [False]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    levels=st.lists(st.integers(0, 3), min_size=2, max_size=12),
    repeats=st.sampled_from([1, 13, 40]),
    top_p=st.floats(0.05, 0.99),
)
def test_equally_likely_tokens_are_kept_or_cut_together(levels: list[int], repeats: int, top_p: float) -> None:
    logits = torch.tensor(levels * repeats).float().unsqueeze(0)
    dense = warped_distribution(logits.log_softmax(-1), 1.0, top_p).dense(logits.shape[1])[0]
    for level in set(levels):
        alike = dense[logits[0] == level]
        assert len(set((alike > 0).tolist())) == 1
    kept = {int(level) for level in logits[0][dense > 0]}
    assert kept == {level for level in set(levels) if level >= min(kept)}


@pytest.mark.parametrize("vocabulary", [100, 128, 129, 1_000, 40_000])
def test_a_flat_distribution_keeps_every_token(vocabulary: int) -> None:
    distribution = warped_distribution(torch.zeros(2, vocabulary).log_softmax(-1), 0.7, 0.5)
    torch.testing.assert_close(distribution.dense(vocabulary), torch.full((2, vocabulary), 1 / vocabulary))


def test_top_p_looks_beyond_the_first_tokens_where_they_do_not_reach_the_mass() -> None:
    logits = torch.linspace(0, -1, 5_000).unsqueeze(0)  # nearly flat: 0.9 of the mass needs thousands of tokens
    dense = warped_distribution(logits.log_softmax(-1), 1.0, 0.9).dense(5_000)[0]
    torch.testing.assert_close(dense.double(), plain_top_p(logits[0], 1.0, 0.9), rtol=1e-3, atol=1e-8)
    assert 3_000 < int((dense > 0).sum()) < 5_000


def test_rows_of_one_batch_are_cut_independently() -> None:
    peaked, flat = torch.zeros(400), torch.zeros(400)
    peaked[17] = 20.0
    both = warped_distribution(torch.stack([peaked, flat]).log_softmax(-1), 1.0, 0.9).dense(400)
    assert both[0].nonzero().flatten().tolist() == [17]
    assert int((both[1] > 0).sum()) == 400
    torch.testing.assert_close(both.sum(-1), torch.ones(2))


def test_no_hidden_top_k() -> None:
    logits = torch.randn(1, 3_000, generator=torch.Generator().manual_seed(0)) * 0.5
    assert int((warped_distribution(logits.log_softmax(-1), 1.0, 1.0).dense(3_000) > 0).sum()) == 3_000
    assert int((warped_distribution(logits.log_softmax(-1), 1.0, 0.999).dense(3_000) > 0).sum()) > 2_500


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_top_p_one_is_the_whole_softmax(temperature: float) -> None:
    logits = torch.randn(2, 300, generator=torch.Generator().manual_seed(0))
    distribution = warped_distribution(logits.log_softmax(-1), temperature, 1.0)
    torch.testing.assert_close(distribution.dense(300), (logits / temperature).softmax(-1))


@pytest.mark.parametrize("top_p", [1e-9, 0.9, 1.0])
def test_temperature_zero_puts_everything_on_the_lowest_of_the_most_likely_tokens(top_p: float) -> None:
    logits = torch.tensor([[0.0, 3.0, 3.0, 1.0], [5.0, 1.0, 5.0, 5.0]])
    dense = warped_distribution(logits.log_softmax(-1), 0.0, top_p).dense(4)
    assert dense.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("top_p", [0.9, 1.0])
@pytest.mark.parametrize("temperature", [1e-3, 1e-20, 1e-38, 1e-40, 5e-324])
def test_a_tiny_temperature_is_nearly_argmax_and_never_nan(temperature: float, top_p: float) -> None:
    logits = torch.randn(2, 5_000, generator=torch.Generator().manual_seed(1))
    distribution = warped_distribution(logits.log_softmax(-1), temperature, top_p)
    expected = torch.nn.functional.one_hot(logits.argmax(-1), 5_000).float()
    torch.testing.assert_close(distribution.dense(5_000), expected)


def test_tokens_without_probability_stay_impossible_at_a_tiny_temperature() -> None:
    log_probs = torch.tensor([[-math.inf, math.log(0.5), -math.inf, math.log(0.5)]])
    dense = warped_distribution(log_probs, 1e-30, 0.9).dense(4)
    torch.testing.assert_close(dense, torch.tensor([[0.0, 0.5, 0.0, 0.5]]))


def test_the_first_and_last_random_number_never_draw_an_impossible_token() -> None:
    edges = torch.tensor([0.0, 1 - 2.0**-53], dtype=torch.float64)
    for probs in ([0.0, 0.3, 0.7, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]):
        drawn = TokenDistribution(torch.tensor([probs, probs])).sample(edges)
        possible = [token for token, prob in enumerate(probs) if prob > 0]
        assert drawn.tolist() == [possible[0], possible[-1]]


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    weights=st.lists(st.sampled_from([0.0, 0.0, 1e-30, 1e-8, 0.1, 1.0]), min_size=1, max_size=300).filter(any),
    number=st.one_of(st.floats(0, 1, exclude_max=True), st.just(1 - 2.0**-53)),
)
def test_a_token_without_probability_is_never_drawn(weights: list[float], number: float) -> None:
    probs = torch.tensor([weights])
    probs = probs / probs.sum()
    drawn = TokenDistribution(probs).sample(torch.tensor([number], dtype=torch.float64))
    assert float(probs[0, int(drawn)]) > 0


def test_drawing_inverts_the_cumulative_distribution_in_order_of_token_ids() -> None:
    probs = torch.tensor([[0.25, 0.5, 0.25]]).expand(5, -1)
    numbers = torch.tensor([0.0, 0.2499, 0.25, 0.7499, 0.75], dtype=torch.float64)
    assert TokenDistribution(probs).sample(numbers).tolist() == [0, 0, 1, 1, 2]
    ids = torch.tensor([[3, 8, 9]]).expand(5, -1)
    assert TokenDistribution(probs, ids).sample(numbers).tolist() == [3, 3, 8, 8, 9]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.8, 0.6)])
def test_draws_have_the_stated_frequencies(temperature: float, top_p: float) -> None:
    logits = torch.randn(1, 200, generator=torch.Generator().manual_seed(4)) * 2
    distribution = warped_distribution(logits.log_softmax(-1), temperature, top_p)
    numbers = torch.rand(200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    probs, ids = distribution.probs, distribution.token_ids
    repeated = TokenDistribution(probs.expand(2_000, -1), None if ids is None else ids.expand(2_000, -1))
    counts = torch.zeros(200)
    for chunk in numbers.split(2_000):
        counts += torch.bincount(repeated.sample(chunk), minlength=200)
    expected = distribution.dense(200)[0].double() * len(numbers)
    assert counts[expected == 0].sum() == 0
    common = expected > 5
    observed = torch.cat([counts[common], counts[~common].sum().view(1)]).double()
    wanted = torch.cat([expected[common], expected[~common].sum().view(1)])
    filled = wanted > 0
    wanted = wanted[filled] * (observed[filled].sum() / wanted[filled].sum())
    assert chisquare(observed[filled].numpy(), wanted.numpy()).pvalue > 0.01


@pytest.mark.parametrize("top_p", [0.6, 0.95, 1.0])
def test_the_probability_of_a_token_and_the_dense_form_agree(top_p: float) -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(2)) * 2
    distribution = warped_distribution(logits.log_softmax(-1), 0.8, top_p)
    dense = distribution.dense(50)
    for token in range(50):
        assert torch.equal(distribution.prob_of(torch.full((3,), token)), dense[:, token])
    if distribution.token_ids is not None:
        assert bool((distribution.token_ids.diff(dim=-1) > 0).all())


def test_the_raw_distribution_is_the_models_own() -> None:
    logits = torch.randn(2, 30, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(raw_distribution(logits.log_softmax(-1)).dense(30), logits.softmax(-1))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([1, 64, 4095, 4096, 4097, 9001]),
    count=st.integers(1, 64),
    levels=st.sampled_from([3, 50, 10**6]),
)
def test_the_most_likely_tokens_are_those_of_topk(seed: int, vocabulary: int, count: int, levels: int) -> None:
    """Equal probabilities may name another token, but never another value."""
    drawn = torch.randint(levels, (4, vocabulary), generator=torch.Generator().manual_seed(seed)).float()
    values, token_ids = most_likely(drawn, min(count, vocabulary))
    assert torch.equal(values, drawn.topk(min(count, vocabulary), dim=-1).values)
    assert torch.equal(drawn.gather(-1, token_ids), values)
    assert all(len(set(row)) == len(row) for row in token_ids.tolist())
