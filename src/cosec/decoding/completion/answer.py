"""The code block of a chat answer: where it begins, and where the answer may stop because it is complete."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cosec.decoding.completion.code_end import FENCE, fence_place
from cosec.decoding.completion.function_end import Language

_NAMES = {"py": {"", "py", "python", "python3"}, "c": {"", "c", "h", "cpp", "c++"}}
"""What may follow the fence that opens a block, by language."""

_OPENING = re.compile(rf"^[ \t]*{FENCE}+[ \t]*([^\s`{{]*)[^\n`]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block in a text."""

    code: str
    """What is between the fences."""

    end: int | None
    """Offset after the closing fence; None if the block is not closed."""


def code_block(answer: str, language: Language) -> CodeBlock | None:
    """The first block of an answer that is marked as code of the language, or not marked.

    A fence in a string or comment of the block does not close it.

    Args:
        answer: The text of a chat, perhaps incomplete.
        language: Of the code that was asked for.

    Returns:
        The block, or None if there is none.
    """
    place = 0
    while (opening := _OPENING.search(answer, place)) is not None:
        rest = answer[opening.end() :]
        closing = fence_place(rest, 0, language)
        if opening[1].lower() in _NAMES[language]:
            if closing is None:
                return CodeBlock(rest, None)
            return CodeBlock(rest[:closing].rstrip(" \t"), opening.end() + closing + len(FENCE))
        if closing is None:
            return None
        place = opening.end() + closing + len(FENCE)
    return None


class AnswerWatcher:
    """Ends a chat answer after its code block, before it explains the code.

    Args:
        language: Of the code that was asked for.
    """

    def __init__(self, language: Language) -> None:
        self._language = language
        self._seen = 0

    def place(self, text: str) -> int | None:
        """Number of characters up to the end of the code block; None before that."""
        started = max(0, self._seen - len(FENCE) + 1)
        self._seen = len(text)
        block = code_block(text, self._language) if FENCE in text[started:] else None
        return None if block is None else block.end

    def held_back(self, text: str) -> int:
        """Nothing: only text that is not there yet can be cut off."""
        return 0
