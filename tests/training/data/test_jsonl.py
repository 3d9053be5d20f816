from __future__ import annotations

import pytest

from cosec.errors import DataError
from cosec.training.data.jsonl import parse_object


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ('{"text": "\\ud83d"}', "half of a surrogate pair"),
        ('{"\\udc00": [1]}', "half of a surrogate pair"),
        (f'{{"number": {"9" * 5000}}}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_line_that_is_no_object_of_texts_is_named(line: str, said: str) -> None:
    with pytest.raises(DataError, match=f"a.jsonl:3 .*{said}"):
        parse_object(line, "a.jsonl:3")


def test_both_halves_of_a_pair_are_a_character() -> None:
    assert parse_object('{"text": "\\ud83d\\ude00"}', "a") == {"text": "\N{GRINNING FACE}"}
