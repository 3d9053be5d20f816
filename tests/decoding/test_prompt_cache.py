from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from cosec.decoding.engine.lanes import Lanes, TargetLane
from cosec.decoding.prompt_cache import LongestBeginning, PromptCache, ReusePolicy, WholePrompts, common_length
from tests.decoding.pairs import separate_pair, shared_pair

ONE, OTHER, LONG = (5, 6, 7), (8, 9), tuple(range(3, 23))


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> TargetLane:
    return shared_pair(tmp_path_factory.mktemp("pair")).target_lane()


def read(cache: PromptCache, lane: Lanes, prompt: Sequence[int], kind: str = "target") -> tuple[Lanes, int]:
    """Lanes that were fed ``prompt``, and how many of its tokens came from the cache."""
    lanes, known = cache.take(kind, prompt) or (lane.prefill([()]), 0)
    lanes.feed(prompt[known:])
    cache.keep(kind, prompt, lanes)
    return lanes, known


def known(cache: PromptCache, lane: Lanes, *prompts: Sequence[int]) -> list[int]:
    return [read(cache, lane, prompt)[1] for prompt in prompts]


def next_log_probs(lanes: Lanes, token: int = 4) -> torch.Tensor:
    return lanes.advance(torch.tensor([token]), 1, lambda log_probs, index: log_probs.argmax(-1)).target_log_probs[0]


def test_a_prompt_is_read_once(lane: TargetLane) -> None:
    assert known(PromptCache(100, WholePrompts()), lane, ONE, OTHER, OTHER, ONE) == [0, 0, len(OTHER), len(ONE)]


@pytest.mark.parametrize("policy", [WholePrompts(), LongestBeginning()])
def test_what_is_remembered_is_what_a_fresh_reading_remembers(lane: TargetLane, policy: ReusePolicy) -> None:
    cache = PromptCache(100, policy)
    for _ in range(2):
        for prompt in (ONE, LONG):
            # The caller's lanes are a copy: advancing them must not change the entry.
            assert torch.equal(next_log_probs(read(cache, lane, prompt)[0]), next_log_probs(lane.prefill([prompt])))


def test_kinds_do_not_mix(lane: TargetLane) -> None:
    cache = PromptCache(100, WholePrompts())
    assert [read(cache, lane, ONE, kind)[1] for kind in ("target", "security", "security")] == [0, 0, len(ONE)]


def test_whole_prompts_reuse_nothing_of_a_longer_or_shorter_prompt(lane: TargetLane) -> None:
    assert known(PromptCache(100, WholePrompts()), lane, LONG, LONG[:-1], (*LONG, 2)) == [0, 0, 0]


def test_the_longest_beginning_is_reused_whichever_prompt_is_longer(lane: TargetLane) -> None:
    cache = PromptCache(100, LongestBeginning())
    assert known(cache, lane, LONG, LONG[:12], (*LONG[:15], 2, 2), (*LONG, 2)) == [0, 12, 15, len(LONG)]


def test_a_short_common_beginning_is_not_worth_a_copy(lane: TargetLane) -> None:
    assert known(PromptCache(100, LongestBeginning()), lane, LONG, (*LONG[:7], 2), (*LONG[:8], 2)) == [0, 0, 8]


def test_a_prompt_takes_the_place_of_those_it_extends(lane: TargetLane) -> None:
    extended, whole = PromptCache(100, LongestBeginning()), PromptCache(100, WholePrompts())
    for cache in (extended, whole):
        known(cache, lane, LONG[:10], LONG[:15], LONG)
    assert (extended.tokens, whole.tokens) == (20, 45)


def test_the_least_recently_used_prompt_is_forgotten(lane: TargetLane) -> None:
    cache = PromptCache(len(LONG) + len(ONE), WholePrompts())
    found = known(cache, lane, OTHER, ONE, LONG, ONE, LONG, OTHER)
    assert found == [0, 0, 0, len(ONE), len(LONG), 0]
    assert cache.tokens == len(LONG) + len(OTHER)


def test_a_prompt_beyond_the_bound_is_read_and_not_kept(lane: TargetLane) -> None:
    assert known(PromptCache(10, WholePrompts()), lane, ONE, LONG, LONG, ONE) == [0, 0, 0, len(ONE)]


def test_a_cleared_cache_knows_nothing(lane: TargetLane) -> None:
    cache = PromptCache(100, WholePrompts())
    known(cache, lane, ONE)
    cache.clear()
    assert known(cache, lane, ONE) == [0]


def test_the_bound_follows_from_the_models_caches(tmp_path: Path) -> None:
    shared, separate = shared_pair(tmp_path / "shared"), separate_pair(tmp_path / "separate")
    # 2 layers x (keys and values) x 2 heads x 8 numbers x 4 bytes a row, and two rows in both cases.
    assert shared.cache_bytes_per_token == separate.cache_bytes_per_token == 2 * 2 * 2 * 2 * 8 * 4
    lane = separate.target_lane()
    for memory, kept in ((512 * len(ONE), len(ONE)), (512 * len(ONE) - 1, 0)):
        cache = PromptCache.for_study(separate, memory)
        known(cache, lane, ONE)
        assert cache.tokens == kept


def test_the_common_length_is_that_of_the_equal_beginning() -> None:
    for one, other, shared in [((), (1,), 0), ((1, 2), (1, 2), 2), ((1, 2, 3), (1, 2, 4, 5), 2), ((1,), (2,), 0)]:
        assert common_length(one, other) == common_length(other, one) == shared
