"""Which findings the comments of a file accept, and which comments are reported."""

from cosec.checking.finding import Finding
from cosec.checking.patterns import PATTERNS
from cosec.scanning.suppression import Suppression, suppress

ALL = frozenset(PATTERNS)


def finding(line: int, pattern: str = "py/sql-injection") -> Finding:
    return Finding(
        path="a",
        line=line,
        pattern=pattern,
        cwe=PATTERNS[pattern].cwe,
        message="m",
        severity="error",
        checker="flow",
    )


def sorted_by_comments(text: str, *findings: Finding, language: str = "py", looked_for=ALL) -> Suppression:
    return suppress("a", text.encode(), language, findings, looked_for)  # type: ignore[arg-type]


def test_a_comment_accepts_the_named_weakness_of_its_statement_only() -> None:
    text = "run(\n    a,\n)  # cosec: ignore[CWE-089] ours\nrun(b)\n"
    found = sorted_by_comments(text, finding(1), finding(1, "py/command-injection"), finding(4))
    assert [(one.finding.line, one.line, one.reason) for one in found.suppressed] == [(1, 3, "ours")]
    assert [(one.line, one.pattern) for one in found.findings] == [(1, "py/command-injection"), (4, "py/sql-injection")]
    assert found.unused == ()


def test_a_comment_alone_on_its_line_is_about_the_statement_below() -> None:
    text = "first()\n# cosec: ignore[CWE-089] a reason\n# that goes on\nrun(a)\n\n# nosec\n\nrun(b)\n"
    found = sorted_by_comments(text, finding(1), finding(4), finding(8))
    assert [one.line for one in found.findings] == [1, 8]


def test_text_that_looks_like_a_comment_accepts_nothing() -> None:
    text = 'run("# nosec")\nrun("""\n# cosec: ignore\n""")\n'
    assert len(sorted_by_comments(text, finding(1), finding(2), finding(3)).findings) == 3
    c = 'system("// nosec"); \n'
    assert len(sorted_by_comments(c, finding(1, "c/command-injection"), language="c").findings) == 1


def test_comments_of_c_work_in_both_forms_and_the_parent_weakness_covers_its_children() -> None:
    text = (
        "strcpy(a, b); // cosec: ignore[CWE-787] fixed size\n/* cosec: ignore[CWE-119] */\nstrcpy(a,\n  b);\ncopy();\n"
    )
    writes = [finding(line, "c/out-of-bounds-write") for line in (1, 4, 5)]
    found = sorted_by_comments(text, *writes, language="c")
    assert [one.line for one in found.findings] == [5]


def test_what_accepts_nothing_is_reported_name_by_name() -> None:
    text = "run(a)  # cosec: ignore[CWE-089, CWE-078]\nsafe()  # cosec: ignore\nsafe()  # nosec CWE-022\n"
    found = sorted_by_comments(text, finding(1))
    assert [(one.line, one.message) for one in found.unused] == [
        (1, "the suppression of CWE-078 matches no finding; remove it"),
        (2, "this suppression matches no finding; remove it"),
        (3, "the suppression of CWE-022 matches no finding; remove it"),
    ]


def test_a_nosec_that_may_be_meant_for_bandit_is_not_reported() -> None:
    assert sorted_by_comments("safe()  # nosec\nassert a  # nosec B101\nsafe()  # nosec B608\n").unused == ()


def test_nothing_is_called_unused_that_was_not_looked_for() -> None:
    text = "safe()  # cosec: ignore[CWE-089]\nsafe()  # cosec: ignore\nsafe()  # cosec: ignore[CWE-022]\n"
    assert sorted_by_comments(text, looked_for=()).unused == ()
    assert [one.line for one in sorted_by_comments(text, looked_for={"py/sql-injection"}).unused] == [1]


def test_a_misspelt_comment_is_reported_and_accepts_nothing() -> None:
    found = sorted_by_comments("run(a)  # cosec: ignore[CWE-9999]\n", finding(1))
    assert len(found.findings) == 1
    assert "CWE-9999" in found.unused[0].message
