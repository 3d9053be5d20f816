import pytest

from cosec.checking.python.engine.domain.alphabets import (
    match_alphabet,
    ruled_out_by_absence,
    ruled_out_by_match,
    single_class,
)
from cosec.checking.python.knowledge.dangers import DANGERS, NO_DANGERS


@pytest.mark.parametrize("pattern", [r"^\d+$", r"\A[a-z]{1,20}\Z", r"^(\w+)$"])
def test_a_whole_match_of_letters_and_digits_rules_out_every_danger(pattern: str) -> None:
    assert ruled_out_by_match(pattern, whole=False) == DANGERS


@pytest.mark.parametrize("pattern", [r"\d+", r"^\d+", r"\d+$", r"^.*$(", r"^a|b$"])
def test_a_pattern_that_is_not_anchored_or_not_valid_rules_out_nothing(pattern: str) -> None:
    assert ruled_out_by_match(pattern, whole=False) == NO_DANGERS


def test_a_path_pattern_is_tried_on_paths_that_leave_the_folder() -> None:
    without_dots = ruled_out_by_match(r"[\w/]+\.txt", whole=True)
    assert "dots" in without_dots
    assert "absolute" not in without_dots
    assert not {"dots", "absolute"} & ruled_out_by_match(r"[\w./]+\.txt", whole=True)


def test_absent_characters_rule_out_what_needs_them() -> None:
    assert ruled_out_by_absence("<") == {"xss"}
    assert ruled_out_by_absence("/\n") == {"dots", "absolute", "log"}
    assert ruled_out_by_absence(";") == NO_DANGERS


def test_only_a_single_class_of_characters_is_one() -> None:
    assert single_class(r"[;&]+") == {";", "&"}
    assert single_class(r"(a|b)") == {"a", "b"}
    assert single_class(r"ab") is None
    assert match_alphabet(r"a(b|c)*") == {"a", "b", "c"}
