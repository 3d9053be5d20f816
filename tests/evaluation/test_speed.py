from pathlib import Path

import pytest

from cosec.evaluation import speed
from cosec.evaluation.speed import SpeedResult, table
from tests.decoding.pairs import shared_pair


def result(*, auto: bool) -> SpeedResult:
    return SpeedResult(
        batch=1,
        mode="two-models",
        target_seconds_per_20=1.0,
        hardened_seconds_per_20=2.0,
        ratio=2.0,
        alpha=0.5,
        c=0.5,
        v={"4": 1.5},
        draft_length=1,
        auto=auto,
        prefill_seconds=0.1,
        target_prefill_seconds=0.1,
        peak_mib=100.0,
    )


def test_a_row_says_whether_auto_chose_its_draft_length() -> None:
    heading, *rows = table([result(auto=False), result(auto=True)])
    assert [row[heading.index("k")] for row in rows] == ["1", "auto: 1"]


def test_the_figures_compare_the_hardened_arm_with_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = shared_pair(tmp_path)

    def timed(lanes: object, settings: object, ids: object, batch: int, tokens: int, *chooser: object) -> speed._Timing:
        seconds = 3.0 if chooser else 2.0  # the target alone has no draft length to choose
        return speed._Timing(prefill_seconds=0.1, seconds_per_20=seconds, accepted=3, judged=4)

    monkeypatch.setattr(speed, "_timed", timed)
    found = speed.measure_speed(pair, "def", batch=1, draft_length=1)
    assert (found.target_seconds_per_20, found.hardened_seconds_per_20, found.ratio, found.alpha) == (2, 3, 1.5, 0.75)
    assert found.mode == "shared"
    assert found.c == pytest.approx(0.5)  # what the second row adds
