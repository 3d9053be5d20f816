import time

import pytest

from cosec.training.data.overlap import RUN, ProtectedTexts, word_runs

WORDS = [f"word{number}" for number in range(30)]
PROTECTED = ProtectedTexts([" ".join(WORDS)], ("test",))


def test_thirteen_words_in_a_row_are_found_and_twelve_are_not() -> None:
    assert RUN == 13
    assert PROTECTED.found_in("before " + " ".join(WORDS[5:18]) + " after")
    assert not PROTECTED.found_in("before " + " ".join(WORDS[5:17]) + " after " + " ".join(WORDS[18:30]))


def test_case_layout_and_punctuation_play_no_part() -> None:
    assert PROTECTED.found_in("(\n".join(word.upper() for word in WORDS[:13]))


@pytest.mark.parametrize(
    "boilerplate",
    [
        "\n".join(f"#include <{name}.h>" for name in WORDS),
        "\n".join(f"import {name}" for name in WORDS),
        "\n".join(f"from {name} import thing" for name in WORDS),
    ],
)
def test_lines_that_only_import_protect_nothing(boilerplate: str) -> None:
    assert not ProtectedTexts([boilerplate], ("test",)).found_in(boilerplate)


def test_short_texts_protect_nothing() -> None:
    assert not ProtectedTexts(["return x"], ("test",)).found_in("return x")


def test_code_beside_an_import_is_protected() -> None:
    code = " ".join(WORDS[:13])
    assert PROTECTED.found_in(f"import os; {code}")
    assert PROTECTED.found_in(f"from x import\n{code}")


def test_blank_lines_take_linear_time() -> None:
    started = time.process_time()
    list(word_runs("\n" * 300_000))
    assert time.process_time() - started < 2  # quadratic time would be minutes
