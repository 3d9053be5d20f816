"""Has a growing completion left its function? Then the rest would be cut, so that it need not be generated.

The answer is the one that extraction gives for the longer text: what ends a function is decided from the lines (Python)
or tokens (C) up to the end alone, whatever follows. So a completion cut here is extracted to the same program.
"""

from __future__ import annotations

from cosec.checking.patterns import Language


class FunctionEnd:
    """Watches one completion; cheap enough to be asked after every token."""

    def __init__(self, prompt: str, language: Language) -> None:
        self._prompt, self._language = prompt, language
        columns = [_indentation(line) for line in prompt.split("\n") if "def " in line]
        self._indentation = max(columns, default=-1)
        """A line further right than every ``def`` of the prompt ends none of them."""
        self._seen = 0

    def place(self, text: str) -> int | None:
        """How much of the completion so far belongs to its program; None while all of it may.

        Args:
            text: All of the completion so far; each call's begins with the one before.
        """
        if self._language == "py":
            return self._place_python(text)
        return self._place_c(text)

    def _place_python(self, text: str) -> int | None:
        """Whole lines only: the beginning of one may turn out as a comment or as part of a text."""
        from cosec.evaluation.extraction.python_program import end_of_function

        end = text.rfind("\n") + 1
        if end <= self._seen:
            return None
        new, self._seen = text[self._seen : end], end
        if not any(_may_end(line, self._indentation) for line in new.split("\n")):
            return None
        whole = self._prompt + text[:end]
        found = end_of_function(whole, len(self._prompt))
        return found - len(self._prompt) if found < len(whole) else None

    def _place_c(self, text: str) -> int | None:
        from cosec.evaluation.extraction.c_program import end_of_function

        new, self._seen = text[self._seen :], len(text)
        if "}" not in new:
            return None
        data = (self._prompt + text).encode()
        end = end_of_function(data, len(self._prompt.encode()))
        return None if end is None else len(data[:end].decode()) - len(self._prompt)


def _may_end(line: str, column: int) -> bool:
    stripped = line.lstrip()
    return bool(stripped) and not stripped.startswith("#") and _indentation(line) <= column


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
