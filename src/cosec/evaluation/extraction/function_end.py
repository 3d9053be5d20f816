"""Detect while text is generated that a completion has left its function, so that generation can stop.

The offset equals the one that extraction finds in any longer text: the end of a function depends only on the lines
(Python) or tokens (C) before it. So a completion cut here is extracted to the same program.
"""

from __future__ import annotations

from cosec.checking.patterns import Language
from cosec.evaluation.extraction import python_program


class FunctionEnd:
    """Watches one growing completion; cheap enough to call after every token."""

    def __init__(self, prompt: str, language: Language) -> None:
        self._prompt, self._language = prompt, language
        columns = [_indentation(line) for line in prompt.split("\n") if "def " in line]
        self._indentation = max(columns, default=-1)  # a line indented further than every `def` ends no function
        self._seen = 0

    def place(self, text: str) -> int | None:
        """Number of characters that belong to the completion's program; None while that may still be all of them.

        Args:
            text: The whole completion so far. Each call's text starts with the text of the call before.
        """
        if self._language == "py":
            return self._place_python(text)
        return self._place_c(text)

    def _place_python(self, text: str) -> int | None:
        """Looks at whole lines only: the start of a line may turn out to be part of a comment or a string."""
        end = text.rfind("\n") + 1
        if end <= self._seen:
            return None
        new, self._seen = text[self._seen : end], end
        if not any(_may_end(line, self._indentation) for line in new.split("\n")):
            return None
        whole = self._prompt + text[:end]
        found = python_program.end_of_function(whole, len(self._prompt))
        return found - len(self._prompt) if found < len(whole) else None

    def _place_c(self, text: str) -> int | None:
        from cosec.evaluation.extraction import c_program  # tree-sitter is needed for C only

        new, self._seen = text[self._seen :], len(text)
        if "}" not in new:
            return None
        data = (self._prompt + text).encode()
        end = c_program.end_of_function(data, len(self._prompt.encode()))
        return None if end is None else len(data[:end].decode()) - len(self._prompt)


def _may_end(line: str, column: int) -> bool:
    stripped = line.lstrip()
    return bool(stripped) and not stripped.startswith("#") and _indentation(line) <= column


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
