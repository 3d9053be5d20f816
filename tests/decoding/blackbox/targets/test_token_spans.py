"""Log-probabilities of parts of a text from those of the target's tokens."""

from __future__ import annotations

from cosec.decoding.blackbox.targets.echoed_scores import streamed_tokens
from cosec.decoding.blackbox.targets.token_spans import TokenSpans


def test_a_part_has_the_sum_of_the_tokens_that_make_it_up_and_none_if_it_cuts_one() -> None:
    spans = TokenSpans(begin=3)
    spans.add([("ab", -1.0), ("é", -2.0)])
    spans.add([("c", -4.0)])
    assert spans.of([2, 3], 3) == [-1.0, -6.0]
    assert spans.of([1, 1, 2, 1, 1], 3) == [None, None, -2.0, -4.0, None]
    assert spans.of([1], 2) == [None], "it begins before the request"


def test_both_forms_of_the_api_are_read_and_others_give_nothing() -> None:
    assert streamed_tokens({"tokens": ["a", "b"], "token_logprobs": [-1, -0.5]}) == (("a", -1.0), ("b", -0.5))
    assert streamed_tokens({"content": [{"token": "a", "logprob": -1.0}]}) == (("a", -1.0),)
    for other in (None, {}, {"tokens": ["a"], "token_logprobs": []}, {"content": None}, {"content": [{}]}, 3):
        assert streamed_tokens(other) == ()
