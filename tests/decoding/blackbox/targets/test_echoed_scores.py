"""Log-probabilities as servers give them, of a prompt that they echo and of what they write."""

from __future__ import annotations

from typing import Any

import pytest

from cosec.decoding.blackbox.targets.echoed_scores import echoed_scores, streamed_tokens


def echo(*rows: tuple[str, int, float]) -> Any:
    """An echoed text: the tokens, their places and values."""
    tokens, places, values = zip(*rows, strict=True)
    known = {"tokens": tokens, "text_offset": places, "token_logprobs": values, "top_logprobs": [None] * len(rows)}
    return {"choices": [{"logprobs": known}]}


@pytest.mark.parametrize(
    ("begin", "end", "values"),
    [(1, 3, [-2.0, -3.0, -4.0]), (2, 3, [-4.0]), (3, 4, [-5.0]), (4, 5, [-6.0]), (5, None, []), (1, 2, [-2.0, -3.0])],
)
def test_a_token_that_is_no_whole_text_is_as_long_as_the_places_say_and_not_as_its_name(
    begin: int, end: int | None, values: list[float]
) -> None:
    half, other = r"bytes:\xf0\x9f", r"bytes:\x98\x80"
    answer = echo(("a", 0, -1.0), (half, 1, -2.0), (other, 1, -3.0), ("b", 2, -4.0), ("c", 3, -5.0), ("d", 4, -6.0))
    assert [one.log_prob for one in echoed_scores(answer, begin, end)] == values


def test_both_forms_of_the_api_are_read_and_others_give_nothing() -> None:
    assert streamed_tokens({"tokens": ["a", "b"], "token_logprobs": [-1, -0.5]}) == ((b"a", -1.0), (b"b", -0.5))
    assert streamed_tokens({"content": [{"token": "a", "logprob": -1.0}]}) == ((b"a", -1.0),)
    for other in (None, {}, {"tokens": ["a"], "token_logprobs": []}, {"content": None}, {"content": [{}]}, 3):
        assert streamed_tokens(other) == ()
    for given in (["x"], [-1], [256]):
        assert streamed_tokens({"content": [{"token": "a", "bytes": given, "logprob": -1.0}]}) == ()


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        (r"bytes:\xf0\x9f", b"\xf0\x9f"),
        (r"bytes: \xe2\x80", b" \xe2\x80"),
        ("bytes:", b"bytes:"),
        (r"\xf0", rb"\xf0"),
        ("\N{GRINNING FACE}", b"\xf0\x9f\x98\x80"),
    ],
)
def test_a_token_that_is_no_text_is_read_from_its_name(name: str, spelled: bytes) -> None:
    assert streamed_tokens({"tokens": [name], "token_logprobs": [-1]}) == ((spelled, -1.0),)
    chat = {"token": name, "bytes": list(spelled), "logprob": -1}
    assert streamed_tokens({"content": [chat]}) == ((spelled, -1.0),)
    assert streamed_tokens({"content": [{**chat, "bytes": None}]}) == ((spelled, -1.0),)
