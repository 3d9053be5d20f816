"""The garbage collector pauses while models load, and works again afterwards, also after a failure."""

from __future__ import annotations

import gc

import pytest

from cosec.cli.launching.collector import without_garbage_collection


def test_collection_pauses_inside_the_block() -> None:
    with without_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection_works_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="wrong"), without_garbage_collection():
        raise ValueError("wrong")
    assert gc.isenabled()


def test_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
