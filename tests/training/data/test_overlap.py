import pytest

from cosec.training.data.overlap import RUN, ProtectedTexts

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
