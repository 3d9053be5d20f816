from __future__ import annotations

import random

import pytest

from cosec.decoding.engine.draft_length import AutoDraftLength, DraftLength, FixedDraftLength, draft_length_for


def observe(
    chooser: DraftLength,
    *,
    blocks: int = 60,
    acceptance: float,
    draft_step: float,
    per_token: float = 0.02,
    rows: int = 1,
    longest: int = 64,
    seed: int = 0,
) -> list[int]:
    """Blocks of a run whose target pass over k tokens takes 1 + per_token · (k - 1) seconds; the lengths chosen."""
    chance = random.Random(seed)
    chosen = []
    for _ in range(blocks):
        k = min(chooser.next(), longest)
        accepted = judged = 0
        for _ in range(rows):
            count = next((index for index in range(k) if chance.random() >= acceptance), k)
            accepted, judged = accepted + count, judged + min(count + 1, k)
        chooser.observe(
            k,
            rows=rows,
            accepted=accepted,
            judged=judged,
            draft_seconds=draft_step * k,
            target_seconds=1 + per_token * (k - 1),
        )
        chosen.append(k)
    return chosen


def test_a_cheap_drafter_that_is_nearly_always_accepted_drafts_long() -> None:
    assert observe(AutoDraftLength(), acceptance=0.97, draft_step=0.05)[-1] >= 6


def test_one_row_drafts_longer_than_a_batch() -> None:
    assert observe(AutoDraftLength(), acceptance=1.0, draft_step=1.0, per_token=0.3)[-1] == 16
    assert observe(AutoDraftLength(), acceptance=1.0, draft_step=1.0, per_token=0.3, rows=4)[-1] == 8


def test_a_drafter_as_costly_as_the_target_with_low_acceptance_drafts_one() -> None:
    assert set(observe(AutoDraftLength(), acceptance=0.3, draft_step=1.0)[-20:]) == {1}


def test_a_pass_whose_cost_grows_with_every_token_drafts_one() -> None:
    chosen = observe(AutoDraftLength(), acceptance=0.5, draft_step=0.5, per_token=1.0)
    assert set(chosen[-20:]) == {1}


@pytest.mark.parametrize("draft_step", [0.02, 0.2, 0.6])
@pytest.mark.parametrize("acceptance", [0.5, 0.8, 0.95])
def test_the_chosen_length_is_about_the_fastest_by_the_formula(acceptance: float, draft_step: float) -> None:
    def speed(k: int) -> float:
        return sum(acceptance**index for index in range(k)) / (k * draft_step + 1 + 0.02 * (k - 1))

    chosen = observe(AutoDraftLength(), acceptance=acceptance, draft_step=draft_step, rows=20)[-1]
    best = max(range(1, 9), key=speed)
    assert speed(chosen) > 0.93 * speed(best)
    assert speed(chosen) > 0.97 * speed(1)


def test_the_length_follows_an_acceptance_that_changes() -> None:
    chooser = AutoDraftLength()
    assert observe(chooser, acceptance=0.97, draft_step=0.1, blocks=80)[-1] >= 5
    assert set(observe(chooser, acceptance=0.05, draft_step=0.1, blocks=200)[-20:]) <= {1, 2}
    assert observe(chooser, acceptance=0.97, draft_step=0.1, blocks=200)[-1] >= 5


def test_a_batch_that_halved_is_measured_afresh() -> None:
    chooser = AutoDraftLength()
    observe(chooser, acceptance=0.9, draft_step=0.1, rows=16)
    chooser.observe(4, rows=8, accepted=20, judged=24, draft_seconds=0.1, target_seconds=0.5)
    assert [observe(chooser, acceptance=0.9, draft_step=0.1, rows=8, blocks=1)[0] for _ in range(3)] == [1, 1, 1]


def test_the_acceptance_is_the_share_of_judged_proposals_that_stood() -> None:
    chooser = AutoDraftLength()
    observe(chooser, acceptance=0.7, draft_step=0.1, rows=50, blocks=100)
    assert chooser.acceptance == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(("draft_seconds", "target_seconds"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_measurements_of_zero_never_crash(draft_seconds: float, target_seconds: float) -> None:
    chooser = AutoDraftLength()
    for _ in range(30):
        k = chooser.next()
        assert 1 <= k <= 64
        chooser.observe(k, rows=1, accepted=0, judged=1, draft_seconds=draft_seconds, target_seconds=target_seconds)


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_runs_too_short_for_the_probes_never_crash(longest: int) -> None:
    # Completions of one token: no block ever gets longer than k = 1, so the probe of 4 is never measured.
    chosen = observe(AutoDraftLength(), acceptance=0.9, draft_step=0.1, longest=longest, blocks=40)
    assert set(chosen) <= set(range(1, longest + 1))


def test_a_fixed_length_stays() -> None:
    chooser = FixedDraftLength(3)
    assert set(observe(chooser, acceptance=0.0, draft_step=9.0)) == {3}


def test_the_setting_gives_the_chooser_within_what_can_be_drafted() -> None:
    assert isinstance(draft_length_for("auto", 64), AutoDraftLength)
    assert draft_length_for("auto", 1).next() == 1
    assert draft_length_for(5, 64).next() == 5
    assert draft_length_for(5, 1).next() == 1
    assert all(isinstance(draft_length_for(setting, 64), DraftLength) for setting in ("auto", 2))
