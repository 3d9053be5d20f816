import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosec.training.data.changed_spans import changed_spans, cuts_of_deletions


def shown(after: str, spans: tuple[tuple[int, int], ...]) -> list[str]:
    return [after[start:end] for start, end in spans]


def test_an_added_line_is_one_span() -> None:
    after = "a = 1\ncheck(a)\nuse(a)\n"
    assert shown(after, changed_spans("a = 1\nuse(a)\n", after)) == ["check(a)\n"]


def test_inside_a_replaced_line_only_the_new_words_are_marked() -> None:
    after = "x = html.escape(name)\n"
    assert shown(after, changed_spans("x = str(name)\n", after)) == ["html.escape"]


def test_a_fix_that_only_deletes_leaves_a_cut_where_the_text_was() -> None:
    assert changed_spans("keep\ndrop\nrest\n", "keep\nrest\n") == ((5, 5),)


def test_cuts_are_left_out_where_something_was_added() -> None:
    after = "one\nnew\nthree\n"
    assert shown(after, changed_spans("zero\none\nthree\n", after)) == ["new\n"]


def test_equal_texts_have_no_changed_span() -> None:
    assert changed_spans("same\n", "same\n") == ()


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [([(2, 4)], ((2, 2),)), ([(4, 6), (0, 2)], ((0, 0), (2, 2))), ([(0, 1)], ())],
    ids=["one", "two, any order", "not what happened"],
)
def test_deleted_spans_become_cuts_in_the_fixed_text(
    deleted: list[tuple[int, int]], expected: tuple[tuple[int, int], ...]
) -> None:
    before = "abcdef"
    after = {1: "abef", 2: "cd"}[len(deleted)]
    assert cuts_of_deletions(before, after, deleted) == expected


CODE = st.text(alphabet="ab (\n\t=é", max_size=40)


@settings(deadline=None, derandomize=True)
@given(before=CODE, after=CODE)
def test_what_is_not_marked_was_there_before_in_the_same_order(before: str, after: str) -> None:
    spans = changed_spans(before, after)
    assert all(0 <= start <= end <= len(after) for start, end in spans)
    marked = {index for start, end in spans for index in range(start, end)}
    rest = iter(before)
    assert all(char in rest for index, char in enumerate(after) if index not in marked)
    assert (before == after) == (not spans)
