"""Log-probabilities of parts of a text from those of the target's tokens."""

from __future__ import annotations

import pytest

from cosec.decoding.blackbox.targets.token_spans import TokensOfText, TokenSpans


def test_a_part_has_the_sum_of_the_tokens_that_make_it_up_and_none_if_it_cuts_one() -> None:
    spans = TokenSpans(begin=3)
    spans.add([("ab", -1.0), ("é", -2.0)])
    spans.add([("c", -4.0)])
    assert spans.of([2, 3], 3) == [-1.0, -6.0]
    assert spans.of([1, 1, 2, 1, 1], 3) == [None, None, -2.0, -4.0, None]
    assert spans.of([1], 2) == [None], "it begins before the request"


def test_a_token_without_text_belongs_to_what_follows() -> None:
    spans = TokenSpans(begin=0)
    spans.add([("a", -1.0), ("", -2.0), ("b", -4.0), ("", -8.0)])
    assert spans.of([1, 1], 0) == [-1.0, -6.0]


def test_tokens_of_parts_of_a_character_have_their_own_values_once_it_has_arrived() -> None:
    text, spans = TokensOfText(), TokenSpans(begin=0)
    assert text.add("", [(b"\xf0\x9f", -1.0)]) == ()
    spans.add(text.add("\N{GRINNING FACE}", [(b"\x98\x80", -2.0)]))
    spans.add(text.add(" x=", [(b" x", -4.0), (b"=", -8.0)]))
    assert spans.of([2, 2, 2, 1], 0) == [-1.0, -2.0, -4.0, -8.0]
    assert spans.of([4, 3], 0) == [-3.0, -12.0]


@pytest.mark.parametrize("name", ["\N{REPLACEMENT CHARACTER}", "token_id:7", "<0xF0>"])
def test_no_value_is_told_after_a_token_whose_name_is_not_its_text(name: str) -> None:
    text, spans = TokensOfText(), TokenSpans(begin=0)
    spans.add(text.add("y", [(b"y", -1.0)]))
    spans.add(text.add("", [(name.encode(), -1.0)]))
    spans.add(text.add("\N{GRINNING FACE}", [(name.encode(), -2.0)]))
    spans.add(text.add(" x = 1\n", [(one.encode(), -4.0) for one in (" x", " =", " ", "1", "\n")]))
    assert spans.of([1, *[1] * 11], 0) == [-1.0, *[None] * 11]
    assert spans.of([1, 4, 2, 2, 1, 1, 1], 0) == [-1.0, *[None] * 6]
