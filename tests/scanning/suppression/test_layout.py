"""Which comments belong to the statement at a line."""

import pytest

from cosec.scanning.suppression.layout import layout_of

PYTHON = b'''\
text = """
# in a string
"""
# above
# more above
call(a,  # first
  b
)  # last
if x:  # header
    # above two
    y = 1; z = 2  # two
other = 3
'''

C = b"""\
#define COPY(a) \\
    strcpy(a, b) /* macro */
/* block
 * goes on */
int main(void) {
    char *s = "// in a string"; // declaration
    strcpy(a, /* inside */
           b);
    // above
    if (x)
        y();
}
"""


def comments_around(source: bytes, language: str, line: int) -> list[str]:
    layout = layout_of(source, language)  # type: ignore[arg-type]
    lines = layout.around(line)
    return [comment.text.strip() for comment in layout.comments if comment.line in lines]


@pytest.mark.parametrize(
    ("line", "comments"),
    [
        (1, []),
        (2, []),
        (6, ["above", "more above", "first", "last"]),
        (7, ["above", "more above", "first", "last"]),
        (9, ["header"]),
        (11, ["above two", "two"]),
        (12, []),
    ],
)
def test_a_python_statement_has_the_comments_of_its_lines_and_those_alone_above(line: int, comments: list[str]) -> None:
    assert comments_around(PYTHON, "py", line) == comments


@pytest.mark.parametrize(
    ("line", "comments"),
    [
        (1, ["macro"]),
        (5, ["block", "goes on"]),
        (6, ["declaration"]),
        (7, ["inside"]),
        (8, ["inside"]),
        (10, ["above"]),
        (12, []),
    ],
)
def test_a_c_statement_has_the_comments_of_its_lines_and_those_alone_above(line: int, comments: list[str]) -> None:
    assert comments_around(C, "c", line) == comments


def test_an_open_parenthesis_does_not_join_the_rest_of_a_c_file() -> None:
    source = b"void f(void) {\n#ifdef A\n    g((1);\n#endif\n    h();\n}\n// far away\nint x;\n"
    assert comments_around(source, "c", 5) == []


def test_a_file_with_another_encoding_and_one_that_breaks_off_are_read_as_far_as_possible() -> None:
    assert comments_around("# coding: latin-1\nname = 'é'  # é\n".encode("latin-1"), "py", 2) == [
        "coding: latin-1",
        "é",
    ]
    assert comments_around(b"\xef\xbb\xbfx = 1  # marked\n", "py", 1) == ["marked"]
    assert comments_around(b"x = 1  # kept\ny = (\n", "py", 1) == ["kept"]


@pytest.mark.parametrize("coding", ["rot13", "undefined", "no-such-coding"])
def test_a_file_that_names_an_encoding_of_no_text_has_no_comments(coding: str) -> None:
    assert comments_around(f"# coding: {coding}\nx = 1  # nosec\n".encode(), "py", 2) == []


def test_a_lone_carriage_return_ends_a_line() -> None:
    (one, other) = layout_of(b"y = 2  # a\rb = 1\r\nz = 3  # c\n", "py").comments
    assert ((one.line, one.text), (other.line, other.text)) == ((1, " a"), (3, " c"))
