"""Where the code of a completion ends: at a fence that is no text of the program, or with its function."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosec.decoding.completion import CodeEnd, CodeWatcher, EndConditions, GrowingCompletion, code_of, code_watcher
from cosec.decoding.completion.code_end import fence_end, is_markdown, language_of
from cosec.decoding.completion.function_end import Language
from cosec.decoding.trace import TokenOrigin, TokenRecord
from tests.decoding.completion.test_text import BYTES, PROMPT

FENCED = "    return a\n```\n\nThis function isn't called twice.\n"


def records(text: str) -> list[TokenRecord]:
    """One token a byte."""
    return [
        TokenRecord(position=place, token_id=token, origin=TokenOrigin.TARGET, changed=False, target_log_prob=-1.0)
        for place, token in enumerate(BYTES(text).input_ids)
    ]


def grown(prompt: str, text: str, *, end: CodeEnd = "fence", size: int = 1) -> tuple[str, str, str]:
    """Text, released text and finish reason of a completion that arrives in blocks of ``size`` tokens."""
    ends = EndConditions(stop_token_ids=frozenset(), max_new_tokens=5000, watcher=code_watcher(prompt, end))
    one, released, arriving = GrowingCompletion(BYTES, PROMPT, ends), "", records(text)
    for start in range(0, len(arriving), size):
        released += one.take(arriving[start : start + size]).text
        assert one.text.startswith(released)
    released += one.cancel().text
    return one.text, released, str(one.finish_reason)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_code_ends_before_a_fence_and_its_blanks_and_nothing_of_it_is_ever_shown(size: int) -> None:
    assert grown("def f(a):\n", FENCED, size=size) == ("    return a\n", "    return a\n", "stop")
    assert grown("def f(a):\n", "    return a  ```", size=size) == ("    return a", "    return a", "stop")
    assert grown("def f(a):\n", "    return a\n    ```\nx", size=size)[:2] == ("    return a\n",) * 2


def test_no_token_after_the_fence_is_recorded() -> None:
    ends = EndConditions(stop_token_ids=frozenset(), max_new_tokens=500, watcher=code_watcher("def f():\n", "fence"))
    one = GrowingCompletion(BYTES, PROMPT, ends)
    one.take(records(FENCED))
    assert len(one.records) == len("    return a\n```")


@pytest.mark.parametrize(
    ("prompt", "text", "language"),
    [
        ("def f(a):\n", '    """Use\n    ```\n    f(1)\n    ```\n    """\n    return a\n', "py"),
        ('def f(a):\n    """Use\n', "    ```\n    f(1)\n    ```\n", "py"),
        ("def f(a):\n", "    x = '''\n```\n\\'''```'''\n    return x\n", "py"),
        ("def f(a):\n", "    return a + '```' + \"```\" + 'it\\'s ```'  # ``` is a fence\n", "py"),
        ("def f(a):\n", '    if a.startswith("```', "py"),
        ("int f(void) {\n", "    puts(\"```\"); // ``` a fence\n    /* \n```\n*/ return '`';\n", "c"),
        ("/* Example:\n", "```\nf();\n```\n*/\nint f(void) {\n", "c"),
    ],
)
def test_a_fence_in_a_string_or_a_comment_is_text_of_the_program(prompt: str, text: str, language: Language) -> None:
    watch = CodeWatcher(prompt, language, function=False)
    assert [watch.place(text[:size]) for size in range(1, len(text) + 1)] == [None] * len(text)
    assert fence_end(prompt, text, language) is None


def test_a_fence_after_a_closed_string_ends_the_code() -> None:
    text = '    """Use\n    ```\n    f(1)\n    ```\n    """\n    return "```"\n'
    assert fence_end("def f(a):\n", f"{text}```\n", "py") == len(text)
    text = '    puts("```"); /* ``` */\n'
    assert fence_end("int f(void) {\n", f"{text}```\n", "c") == len(text)


def test_a_function_ends_before_a_later_fence_and_a_fence_before_a_later_function() -> None:
    text = "    return a\n\nprint(f(1))\n```\n"
    assert code_of("def f(a):\n", text, "py") == "    return a\n\n"
    assert grown("def f(a):\n", text, end="function")[:2] == ("    return a\n\n",) * 2
    assert grown("def f(a):\n", "    return a\nprint ```\n", end="function")[:2] == ("    return a\n",) * 2
    assert grown("int f(int a) {", " return a; } ```", end="function")[:2] == (" return a; }",) * 2
    assert grown("int f(int a) {", " return a;\n```\n}", end="function")[:2] == (" return a;\n",) * 2
    assert grown("def f(a):\n", text, end="fence")[0] == "    return a\n\nprint(f(1))\n"
    assert grown("def f(a):\n", text, end="none")[0] == text


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("def f(a):", "py"),
        ("async def f(a):", "py"),
        ("import os, sys\n", "py"),
        ("from a.b import (\n", "py"),
        ("class A(B):\n", "py"),
        ("for x in y:\n", "py"),
        ("from __future__ import annotations\nx = {\n", "py"),
        ("#include <stdio.h>\n", "c"),
        ("int main(void)\n{\n", "c"),
        ("static int count = 0;\n", "c"),
        ("import React from 'react';\n", "c"),
        ("The class is over, import duties rose.\n", None),
        ("# Reverse a list\n", None),
        ("Write a poem about the sea.", None),
    ],
)
def test_a_prompt_is_code_if_one_of_its_lines_is(prompt: str, language: Language | None) -> None:
    assert language_of(prompt) == language
    assert (code_watcher(prompt, "fence") is None) == (language is None)


def test_a_prompt_with_closed_blocks_is_markdown_and_goes_on() -> None:
    closed = "# How to\n\n```python\nimport os\n```\n\nThen:\n"
    assert is_markdown(closed, "py")
    assert grown(closed, "\n```python\nx = 1\n```\n")[0] == "\n```python\nx = 1\n```\n"
    opened = closed + "```python\nimport sys\n"
    assert not is_markdown(opened, "py")
    assert grown(opened, "x = 1\n```\nDone.\n")[0] == "x = 1\n"
    assert not is_markdown('def f():\n    """Use:\n    ```\n    f()\n    ```\n    """\n', "py")


PIECES = ["```", "`", "\n", "    ", "x", "}", "{", '"""', "'", '"', "#", "//", "/*", "*/", "\\", "def g():", "return 1"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(PIECES), max_size=24).map("".join),
    st.sampled_from(["fence", "function"]),
    st.sampled_from(["def f(a):\n    x = 1\n", "int f(int a) {\n", "class A:\n    def f(self):\n        "]),
)
def test_what_is_shown_is_never_taken_back_and_blocks_of_any_size_give_the_same(
    text: str, end: CodeEnd, prompt: str
) -> None:
    whole = grown(prompt, text, end=end, size=1000)
    for size in (1, 2, 5):
        assert grown(prompt, text, end=end, size=size) == whole
    assert whole[0] == whole[1]
    if end == "function":
        language: Language = "c" if "{" in prompt else "py"
        assert code_of(prompt, whole[0], language) == code_of(prompt, text, language)


@pytest.mark.parametrize("text", ["\n", "  \n", "#\n", "import a,\n", "class x(\n", "from\n\n"])
def test_the_language_of_a_long_text_is_found_in_linear_time(text: str) -> None:
    started = time.process_time()
    language_of(text * 200_000)
    assert time.process_time() - started < 2  # quadratic time would be minutes
