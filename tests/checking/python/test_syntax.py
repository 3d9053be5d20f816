import ast
import sys

import pytest

from cosec.checking.python.syntax import NotPythonError, decoded, parse, parse_any_version


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfx = 1", "x = 1"),
        ("# -*- coding: latin-1 -*-\nx = 'é'".encode("latin-1"), "# -*- coding: latin-1 -*-\nx = 'é'"),
        ("x = 'é'".encode(), "x = 'é'"),
    ],
)
def test_a_file_is_read_in_the_encoding_that_it_names(data: bytes, text: str) -> None:
    assert decoded(data) == text


@pytest.mark.parametrize("data", ["x = 'é'".encode("latin-1"), b"# coding: klingon\n"])
def test_a_file_in_another_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(NotPythonError, match="cannot be read"):
        decoded(data)


def test_newer_syntax_is_read_beside_the_interpreters_own() -> None:
    assert ast.unparse(parse_any_version("x = 1\n")) == "x = 1"
    assert [type(node).__name__ for node in parse_any_version("x = f'{a['b']}'\n").body] == ["Assign"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(:\n    pass\n", r"is not valid Python: .* \(line 1\)"),
        ('print "a"\n', "is Python 2; only Python 3 is judged"),
        ("x = '\0'\n", "is not valid Python"),
    ],
)
def test_the_reason_names_what_is_wrong(source: str, reason: str) -> None:
    with pytest.raises(NotPythonError, match=reason):
        parse_any_version(source)


def test_without_tree_sitter_the_reason_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter_python", None)
    with pytest.raises(NotPythonError, match=r"pip install '\.\[evaluation\]'"):
        parse_any_version("def f(:\n    pass\n")


def test_what_the_interpreter_cannot_parse_has_no_tree() -> None:
    assert parse("x = 1") is not None
    assert parse("x = ") is None
