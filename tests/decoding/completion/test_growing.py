"""When a completion ends and where it is cut, for tokens that arrive in blocks of any length."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cosec.decoding.completion import EndConditions, GrowingCompletion, Watcher
from cosec.decoding.trace import TokenOrigin, TokenRecord
from tests.decoding.completion.test_text import BYTES, PROMPT

END = 300
"""A stop token that the tokenizer does not know."""
SIZES = [1, 2, 3, 7, 1_000]


def records(text: str, *more: int) -> list[TokenRecord]:
    return [
        TokenRecord(position=place, token_id=token, origin=TokenOrigin.TARGET, changed=False, target_log_prob=-1.0)
        for place, token in enumerate([*BYTES(text).input_ids, *more])
    ]


def grown(
    arriving: Sequence[TokenRecord],
    size: int,
    *,
    limit: int = 100,
    least: int = 0,
    stop: tuple[str, ...] = (),
    watcher: Watcher | None = None,
) -> tuple[GrowingCompletion, str]:
    """The completion after blocks of ``size`` tokens, and the text it released."""
    ends = EndConditions(
        stop_token_ids=frozenset({END}),
        max_new_tokens=limit,
        min_new_tokens=least,
        stop=stop,
        watcher=None if watcher is None else lambda: watcher,
    )
    one, released = GrowingCompletion(BYTES, PROMPT, ends), ""
    for start in range(0, len(arriving), size):
        growth = one.take(arriving[start : start + size])
        assert growth.finish_reason == one.finish_reason
        released += growth.text
    return one, released


@pytest.mark.parametrize("size", SIZES)
def test_a_stop_token_is_the_last_record_and_has_no_text(size: int) -> None:
    one, released = grown([*records("ab", END), *records("after")], size)
    assert (one.text, released, one.finish_reason) == ("ab", "ab", "stop")
    assert [record.token_id for record in one.records] == [*BYTES("ab").input_ids, END]


@pytest.mark.parametrize("size", SIZES)
def test_a_stop_text_is_cut_off_and_nothing_follows_it(size: int) -> None:
    one, released = grown(records("ab\n\ncd"), size, stop=("\n\n",))
    assert (one.text, released, one.finish_reason) == ("ab", "ab", "stop")
    assert len(one.records) == 4


@pytest.mark.parametrize("size", SIZES)
def test_the_limit_is_kept_exactly(size: int) -> None:
    one, released = grown(records("abcdef"), size, limit=4)
    assert (one.text, released, one.finish_reason) == ("abcd", "abcd", "length")


def test_text_held_back_for_a_stop_text_is_released_at_the_limit() -> None:
    one, released = grown(records("ab\n"), 1, limit=3, stop=("\n\n",))
    assert (one.text, released, one.finish_reason) == ("ab\n", "ab\n", "length")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("text", "more"), [("ab", (END,)), ("a\n\n", ())])
def test_a_stop_at_the_limit_counts_as_a_stop(text: str, more: tuple[int, ...], size: int) -> None:
    one, _ = grown(records(text, *more), size, limit=3, stop=("\n\n",))
    assert one.finish_reason == "stop"


class BeforeX:
    """Cuts the text before the character that precedes an x."""

    def place(self, text: str) -> int | None:
        return text.index("x") - 1 if "x" in text else None

    def held_back(self, text: str) -> int:
        return 1


@pytest.mark.parametrize("size", SIZES)
def test_a_watcher_cuts_inside_the_text_and_what_it_holds_back_is_not_released(size: int) -> None:
    one, released = grown(records("ab xy"), size, watcher=BeforeX())
    assert (one.text, released, one.finish_reason) == ("ab", "ab", "stop")
    assert len(one.records) == 4
    at_the_limit, _ = grown(records("ab xy"), size, limit=4, watcher=BeforeX())
    assert (at_the_limit.text, at_the_limit.finish_reason) == ("ab", "stop")
    unended, released = grown(records("abcd"), size, limit=4, watcher=BeforeX())
    assert (unended.text, released, unended.finish_reason) == ("abcd", "abcd", "length")


def test_text_is_released_as_it_arrives_but_for_what_a_watcher_holds_back() -> None:
    ends = EndConditions(stop_token_ids=frozenset(), max_new_tokens=100, watcher=BeforeX)
    one = GrowingCompletion(BYTES, PROMPT, ends)
    assert [one.take([record]).text for record in records("abc")] == ["", "a", "b"]
    assert one.cancel().text == "c"


def test_cancelling_releases_what_was_held_back_and_ends_for_good() -> None:
    one, released = grown(records("ab\n"), 1, stop=("\n\n",))
    assert released == "ab"
    growth = one.cancel()
    assert (growth.text, growth.records, growth.finish_reason) == ("\n", (), "cancelled")
    assert (one.take(records("c")).records, one.cancel().text, one.text) == ((), "", "ab\n")


def test_cancelling_what_has_ended_changes_nothing() -> None:
    one, _ = grown(records("ab", END), 1)
    assert one.cancel().finish_reason == "stop"


@pytest.mark.parametrize("size", SIZES)
def test_before_the_minimum_nothing_ends_a_completion(size: int) -> None:
    arriving = [*records("a\n"), *records("", END), *records("b\nc", END)]
    one, released = grown(arriving, size, least=4, stop=("\n",))
    assert (one.text, released, one.finish_reason) == ("a\nb", "a\nb", "stop")
    assert len(one.records) == 5


def test_what_ended_a_completion_is_said_with_its_last_part() -> None:
    ends = EndConditions(stop_token_ids=frozenset({END}), max_new_tokens=9, stop=("\n\n", "#"))
    one = GrowingCompletion(BYTES, PROMPT, ends)
    assert one.take(records("a")).stop_text is None
    assert one.take(records("#")).stop_text == "#"
    cut = GrowingCompletion(BYTES, PROMPT, EndConditions(stop_token_ids=frozenset(), max_new_tokens=2))
    growth = cut.take(records("\N{PILE OF POO}"))
    assert (growth.text, growth.incomplete, growth.finish_reason) == ("", b"\xf0\x9f", "length")
