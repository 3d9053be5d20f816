"""What comments say about findings."""

import pytest

from cosec.scanning.suppression.directives import Directive, directives_of
from cosec.scanning.suppression.layout import Comment


def read(text: str) -> list[Directive]:
    return list(directives_of(Comment(1, text, alone=False)))


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        (" cosec: ignore[CWE-089] only ids of ours", ("CWE-089",), "only ids of ours"),
        (" cosec: ignore[CWE-89, py/path-traversal]", ("CWE-089", "py/path-traversal"), ""),
        (" cosec:ignore[cwe-22] - see #12, https://example.org", ("CWE-022",), "see #12, https://example.org"),
        (" noqa: E501  # cosec: ignore[CWE-078] fixed list", ("CWE-078",), "fixed list"),
        (" cosec: ignore", None, ""),
        (" cosec: ignore tests only", None, "tests only"),
        (" cosec: ignore: tests only", None, "tests only"),
        (
            " cosec: ignore the id of src/c/parser, see [1] and CWE-089",
            None,
            "the id of src/c/parser, see [1] and CWE-089",
        ),
        (" cosec: ignore (checked by the proxy)", None, "(checked by the proxy)"),
        (" cosec: IGNORE[CWE-089] ours", ("CWE-089",), "ours"),
    ],
)
def test_our_own_form_names_weaknesses_and_a_reason(text: str, names: tuple[str, ...] | None, reason: str) -> None:
    (directive,) = read(text)
    assert (directive.names, directive.reason, directive.problem) == (names, reason, None)
    assert directive.expected


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        (" nosec", None, False),
        (" nosec - input is ours", None, False),
        (" nosec: uses safe_join", None, False),
        (" nosec CWE-089", ("CWE-089",), True),
        (" NOSEC cwe-89", ("CWE-089",), True),
        (" nosec CWE89", ("CWE-089",), True),
        (" nosec B608", ("CWE-089",), False),
        (" nosec: B602, B608 - both fine", ("CWE-078", "CWE-089"), False),
        (" nosec hardcoded_sql_expressions", ("CWE-089",), False),
        (" nosec B101", ("B101",), False),
        (" nosec assert_used", ("assert_used",), False),
    ],
)
def test_nosec_means_what_it_means_to_bandit(text: str, names: tuple[str, ...] | None, expected: bool) -> None:
    (directive,) = read(text)
    assert (directive.names, directive.expected) == (names, expected)


@pytest.mark.parametrize(
    "text", ["we need no nosec here", "cosec: the package", "CoSec: based [1] on x", "ignore[CWE-089]", "cosec ignore"]
)
def test_other_comments_say_nothing(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cosec: ignore[CWE-999]", "'CWE-999', which no pattern looks for"),
        ("cosec: ignore[py/sql-injecton]", "did you mean py/sql-injection?"),
        ("cosec: ignore[]", "names no weakness"),
        ("cosec: ignore CWE-089", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore[CWE-089", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore(CWE-089)", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore: CWE-089", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore CWE 089, checked", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore CWE_089", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore-next-line[CWE-089]", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignore sql-injection", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: disable[CWE-089]", "write 'cosec: ignore[CWE-089] reason'"),
        ("cosec: ignroe[CWE-089]", "write 'cosec: ignore[CWE-089] reason'"),
    ],
)
def test_a_form_that_is_not_understood_covers_nothing_and_says_so(text: str, hint: str) -> None:
    (directive,) = read(text)
    assert directive.names == ()
    assert hint in (directive.problem or "")
