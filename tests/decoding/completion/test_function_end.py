"""Where the function that a prompt left open ends, for text that arrives character by character."""

from __future__ import annotations

import pytest

from cosec.decoding.completion import CodeWatcher
from cosec.decoding.completion.function_end import Language, function_end


def stopped(prompt: str, text: str, language: Language) -> str:
    """The part of the text that is kept when it arrives in single characters."""
    watch = CodeWatcher(prompt, language, function=True)
    for size in range(1, len(text) + 1):
        place = watch.place(text[:size])
        if place is not None:
            return text[:place]
    return text


@pytest.mark.parametrize(
    ("prompt", "text", "kept"),
    [
        ("def f(a):", "\n    return a\n\nf(1)\nmore", "\n    return a\n\n"),
        ("def f(a):", "\n    return a\n\nf(1)", "\n    return a\n\nf(1)"),  # the line may go on
        ("def f(a):", "\n    x = '''\nf(1)\n'''\n    return x\n", "\n    x = '''\nf(1)\n'''\n    return x\n"),
        ("def f(a):", "\n    g(a,\nb)\n# later\n\n    h()\n", "\n    g(a,\nb)\n# later\n\n    h()\n"),
        ("class A:\n    def f(self):", "\n        return 1\n\n    x = 2\n", "\n        return 1\n\n"),
        ("import os\n", "\nx = 1\ny = 2\n", "\nx = 1\ny = 2\n"),
    ],
)
def test_python_ends_with_the_whole_line_that_leaves_the_function(prompt: str, text: str, kept: str) -> None:
    assert stopped(prompt, text, "py") == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" if (a) { b(); } return 1; } int g", " if (a) { b(); } return 1; }"),
        (
            " puts(\"}\"); /* } */ char c = '}'; // }\n return; }\n}",
            " puts(\"}\"); /* } */ char c = '}'; // }\n return; }",
        ),
        (' puts("}', ' puts("}'),
    ],
)
def test_c_ends_with_the_brace_that_closes_the_function(text: str, kept: str) -> None:
    assert stopped("int f(int a) {", text, "c") == kept


@pytest.mark.parametrize(
    ("prompt", "completion", "language"),
    [
        ("x = 1\n", "y = 2\nz = 3\n", "py"),
        ("def f(a):", "\n    return a\n", "py"),
        ("int f(int a) {", " return a;", "c"),
    ],
)
def test_without_an_open_function_or_its_end_there_is_no_place(
    prompt: str, completion: str, language: Language
) -> None:
    assert function_end(prompt, completion, language) is None
