"""The shares of what is under way at the same time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cosec.decoding.blackbox.shared_clock import SharedClock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until its `seconds` are set."""
    found = SimpleNamespace(seconds=100.0)
    found.perf_counter = lambda: found.seconds
    monkeypatch.setattr("cosec.decoding.blackbox.shared_clock.time", found)
    return found


def test_time_is_divided_among_what_is_under_way_and_idle_time_counts_for_nothing(now: SimpleNamespace) -> None:
    clock = SharedClock()
    with clock.share() as first:
        now.seconds += 3  # alone
        with clock.share() as second:
            now.seconds += 4  # two
            assert (first(), second()) == (5.0, 2.0)
        now.seconds += 1  # alone again
        assert first() == 6.0
    now.seconds += 50
    with clock.share() as third:
        now.seconds += 2
        assert third() == 2.0


def test_what_fails_takes_no_further_share(now: SimpleNamespace) -> None:
    clock = SharedClock()

    def fail() -> None:
        with clock.share():
            now.seconds += 2
            raise ValueError("failed")

    with clock.share() as first:
        with pytest.raises(ValueError, match="failed"):
            fail()
        now.seconds += 1
        assert first() == 2.0
