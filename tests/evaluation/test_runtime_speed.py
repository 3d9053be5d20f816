from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import pytest

from cosec.errors import ModelError
from cosec.evaluation import runtime_speed
from cosec.evaluation.runtime_speed import measure_runtimes


class Pair:
    """Stands for a loaded pair."""


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[Pair]:
    """The pairs that are in memory; every way of running one can be loaded and takes no time."""
    pairs: weakref.WeakSet[Pair] = weakref.WeakSet()

    def load(*_: object, **__: object) -> Pair:
        pair = Pair()
        pairs.add(pair)
        return pair

    monkeypatch.setattr(runtime_speed, "load_pair", load)
    monkeypatch.setattr(
        runtime_speed, "load_gguf_pair", lambda *_: SimpleNamespace(adapter="adapter", security=None, target=None)
    )
    monkeypatch.setattr(runtime_speed, "carried_rule", lambda *_: {"name": "gate"})
    monkeypatch.setattr(runtime_speed, "seconds_per_token", lambda *_, **__: 0.1)
    monkeypatch.setattr(runtime_speed, "keep_timings", lambda *_: None)
    return pairs


def test_one_pair_is_in_memory_at_a_time(alive: weakref.WeakSet[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    load, counts = runtime_speed.load_pair, []

    def counted(*names: str, **flags: bool) -> object:
        gc.collect()
        counts.append(len(alive))
        return load(*names, **flags)

    monkeypatch.setattr(runtime_speed, "load_pair", counted)
    timings = measure_runtimes("target", "security", lambda _: None)
    assert list(timings.milliseconds) == ["llama.cpp", "llama.cpp with a copy", "torch"]
    assert counts == [0, 0, 0]


@pytest.mark.usefixtures("alive")
def test_a_way_that_cannot_be_loaded_is_told_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    load, told = runtime_speed.load_pair, []

    def failing(*names: str, **flags: bool) -> object:
        if flags.get("security_copy"):
            raise ModelError("no room for a copy")
        return load(*names, **flags)

    monkeypatch.setattr(runtime_speed, "load_pair", failing)
    timings = measure_runtimes("target", "security", told.append)
    assert list(timings.milliseconds) == ["llama.cpp", "torch"]
    assert "Not measured, llama.cpp with a copy: no room for a copy" in told
