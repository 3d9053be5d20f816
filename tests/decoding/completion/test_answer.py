from __future__ import annotations

import pytest

from cosec.decoding.completion import AnswerWatcher, code_block
from cosec.decoding.completion.function_end import Language

ANSWER = "Sure:\n\n```python\ndef f():\n    return 1\n```\n\nIt returns one.\n\n```python\nf()\n```\n"


def stopped(text: str, language: Language = "py") -> str:
    """The part of an answer that is kept when it arrives in single characters."""
    watch = AnswerWatcher(language)
    for size in range(1, len(text) + 1):
        place = watch.place(text[:size])
        if place is not None:
            return text[:place]
    return text


def test_an_answer_ends_after_its_first_block_of_the_language() -> None:
    assert stopped(ANSWER) == "Sure:\n\n```python\ndef f():\n    return 1\n```"
    block = code_block(ANSWER, "py")
    assert block is not None
    assert block.code == "def f():\n    return 1\n"
    assert block == code_block(stopped(ANSWER), "py")


@pytest.mark.parametrize(
    ("answer", "language", "code"),
    [
        ("```\nx = 1\n```", "py", "x = 1\n"),
        ("```bash\npip install flask\n```\n```py\nx = 1\n```", "py", "x = 1\n"),
        ("```c\nint x;\n```", "c", "int x;\n"),
        ("  ```python title\n  x = 1\n  ```\n", "py", "  x = 1\n"),
        ('```python\ndef f():\n    """\n    ```\n    f()\n    ```\n    """\n```\n', "py", None),
        ('```c\nputs("```"); /* ``` */\n```', "c", 'puts("```"); /* ``` */\n'),
        ("```python\nx = 1\n", "py", "x = 1\n"),
        ("```json\n{}\n", "py", ""),
        ("x = 1\n", "py", ""),
        ("use `x` or ```x``` here", "py", ""),
    ],
)
def test_the_block_is_the_first_that_is_not_of_another_language(
    answer: str, language: Language, code: str | None
) -> None:
    block = code_block(answer, language)
    if code == "":
        assert block is None
    else:
        assert block is not None
        expected = answer.partition("\n")[2].rpartition("```")[0] if code is None else code
        assert block.code == expected
        assert stopped(answer, language) == answer[: block.end]
