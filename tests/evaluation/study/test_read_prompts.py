from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from cosec.decoding.engine.lanes import Lanes, TargetLane
from cosec.evaluation.study.read_prompts import ReadPrompts
from tests.decoding.pairs import separate_pair, shared_pair

ONE, OTHER, LONG = (5, 6, 7), (8, 9), tuple(range(3, 23))


@pytest.fixture
def lane(tmp_path: Path) -> TargetLane:
    return shared_pair(tmp_path).target_lane()


@pytest.fixture
def prefilled(monkeypatch: pytest.MonkeyPatch) -> list[list[Sequence[int]]]:
    """What was read, in order."""
    seen: list[list[Sequence[int]]] = []
    whole = TargetLane.prefill

    def prefill(self: TargetLane, prompts: Sequence[Sequence[int]]) -> TargetLane:
        seen.append(list(prompts))
        return whole(self, prompts)

    monkeypatch.setattr(TargetLane, "prefill", prefill)
    return seen


def next_log_probs(lanes: Lanes, token: int = 4) -> torch.Tensor:
    return lanes.advance(torch.tensor([token]), 1, lambda log_probs, index: log_probs.argmax(-1)).target_log_probs[0]


def test_a_prompt_is_read_once(lane: TargetLane, prefilled: list[list[Sequence[int]]]) -> None:
    read = ReadPrompts(100)
    read.lanes_of("target", lane, [ONE, OTHER])
    read.lanes_of("target", lane, [OTHER, ONE, OTHER])
    assert prefilled == [[ONE], [OTHER]]


def test_what_is_remembered_is_what_a_fresh_reading_remembers(lane: TargetLane) -> None:
    read = ReadPrompts(100)
    for _ in range(2):
        for prompt, lanes in zip([ONE, LONG], read.lanes_of("target", lane, [ONE, LONG]), strict=True):
            # Who was given the lanes writes to them: nobody else may see it.
            assert torch.equal(next_log_probs(lanes), next_log_probs(lane.prefill([prompt])))


def test_kinds_do_not_mix(lane: TargetLane, prefilled: list[list[Sequence[int]]]) -> None:
    read = ReadPrompts(100)
    read.lanes_of("target", lane, [ONE])
    read.lanes_of("security", lane, [ONE])
    assert prefilled == [[ONE], [ONE]]


def test_only_a_whole_prompt_is_used_again(lane: TargetLane, prefilled: list[list[Sequence[int]]]) -> None:
    read = ReadPrompts(100)
    read.lanes_of("target", lane, [LONG])
    read.lanes_of("target", lane, [LONG[:-1]])
    assert prefilled == [[LONG], [LONG[:-1]]]


def test_the_least_recently_used_prompt_is_forgotten(lane: TargetLane, prefilled: list[list[Sequence[int]]]) -> None:
    read = ReadPrompts(max_tokens=len(LONG) + len(ONE))
    for prompt in (OTHER, ONE, LONG, ONE, LONG, OTHER):
        read.lanes_of("target", lane, [prompt])
    assert prefilled == [[OTHER], [ONE], [LONG], [OTHER]]


def test_a_prompt_beyond_the_bound_is_read_and_not_kept(lane: TargetLane, prefilled: list[list[Sequence[int]]]) -> None:
    read = ReadPrompts(max_tokens=10)
    read.lanes_of("target", lane, [ONE])
    read.lanes_of("target", lane, [LONG])
    read.lanes_of("target", lane, [LONG, ONE])
    assert prefilled == [[ONE], [LONG], [LONG]]


def test_the_bound_follows_from_the_models_caches(tmp_path: Path) -> None:
    shared, separate = shared_pair(tmp_path / "shared"), separate_pair(tmp_path / "separate")
    # 2 layers x (keys and values) x 2 heads x 8 numbers x 4 bytes a row, and two rows in both cases.
    assert shared.cache_bytes_per_token == separate.cache_bytes_per_token == 2 * 2 * 2 * 2 * 8 * 4
    lane = separate.target_lane()
    for memory, kept in ((512 * len(ONE), 1), (512 * len(ONE) - 1, 0)):
        read = ReadPrompts.within(separate, memory)
        read.lanes_of("target", lane, [ONE])
        assert len(read._entries) == kept
