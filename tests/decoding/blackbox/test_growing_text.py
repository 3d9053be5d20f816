"""Where text that arrives in pieces of any length ends, and how much of a piece belongs to it."""

from __future__ import annotations

from cosec.decoding.blackbox.growing_text import GrowingText
from cosec.decoding.completion import code_watcher


def test_a_piece_counts_up_to_the_stop_text_that_ends_it() -> None:
    growing = GrowingText(("END",), None)
    assert growing.add("a E") == 3
    assert (growing.add("ND more"), growing.text, growing.stop_text) == (2, "a ", "END")
    assert growing.add("more") == 0


def test_code_that_ends_before_a_stop_text_of_the_same_piece_is_not_ended_by_it() -> None:
    growing = GrowingText(("END",), code_watcher("import os\n", "fence"))
    assert growing.add("x = 1\n") == 6
    assert (growing.add("```\nEND"), growing.text, growing.stop_text) == (0, "x = 1\n", None)
