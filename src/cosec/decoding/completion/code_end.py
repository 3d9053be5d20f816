"""Where the code of a completion ends: the one definition for ``generate``, the server and evaluation.

An instruct model that continues code often closes it with a Markdown fence and explains it. Three backticks are no code
in Python and C, so code ends before the first three that are outside strings and comments, and the blanks before them
are left out. A fence in a docstring is text of the program and ends nothing. With ``function``, code ends also where
the function that the prompt left open ends (:mod:`cosec.decoding.completion.function_end`).

The end is looked for only after a prompt that is code: see :func:`language_of` and :func:`is_markdown`.
"""

from __future__ import annotations

import re
from typing import Literal

from cosec.decoding.completion.function_end import C_LITERALS, Language, function_end, indentation
from cosec.decoding.completion.watching import MakeWatcher

CodeEnd = Literal["fence", "function", "none"]
"""``fence``: before a Markdown fence. ``function``: there or where the function ends. ``none``: nowhere."""

FENCE = "```"
"""What begins and ends a block of code in Markdown."""

_PYTHON_LITERALS = (
    r"#[^\n]*|'''(?:[^'\\]|\\(?:.|\Z)|'(?!''))*(?:'''|\Z)|\"\"\"(?:[^\"\\]|\\(?:.|\Z)|\"(?!\"\"))*(?:\"\"\"|\Z)"
    r"|'(?:\\.|[^'\\\n])*'?|\"(?:\\.|[^\"\\\n])*\"?"
)
_SCAN = {
    "py": re.compile(rf"{_PYTHON_LITERALS}|{FENCE}", re.DOTALL),
    "c": re.compile(rf"{C_LITERALS}|{FENCE}", re.DOTALL),
}
"""Matches literals and comments whole, so that a fence in one of them is no match of its own."""

# Blanks before a line are those of the line alone: over line breaks the search would take quadratic time.
_PYTHON_LINE = re.compile(
    r"^[^\S\n]*(?:(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*(?:\(.*)?:\s*$"
    r"|from\s+[\w.]+\s+import\s+[\w*(]|import\s+[\w.]+(?:\s+as\s+\w+)?(?:\s*,\s*[\w.]+)*\s*(?:#.*)?$"
    r"|(?:if|elif|else|for|while|with|try|except|finally)\b.*:\s*(?:#.*)?$)",
    re.MULTILINE,
)
_C_LINE = re.compile(r"^[^\S\n]*#\s*(?:include|define|ifdef|ifndef|pragma)\b|[;{}]\s*$", re.MULTILINE)


def language_of(code: str) -> Language | None:
    """Recognise the language of code by its lines.

    Returns:
        ``py`` if a line imports, defines a function or class, or begins a block of Python. Else ``c`` if a line is a
        preprocessor directive or ends with ``;``, ``{`` or ``}``. Else None: the text need not be code.
    """
    if _PYTHON_LINE.search(code):
        return "py"
    return "c" if _C_LINE.search(code) else None


def fence_place(text: str, start: int, language: Language) -> int | None:
    """Offset of the first fence outside strings and comments.

    Args:
        text: A program, perhaps incomplete, with what follows it.
        start: Fences that begin before this offset do not count.
        language: Of the program.
    """
    places = (found.start() for found in _SCAN[language].finditer(text) if found[0] == FENCE)
    return next((place for place in places if place >= start), None)


def is_markdown(prompt: str, language: Language) -> bool:
    """Whether a prompt has fenced blocks and all of them are closed, so that its completion is text and not code."""
    fences = [
        found.start()
        for found in _SCAN[language].finditer(prompt)
        if found[0] == FENCE and not prompt[prompt.rfind("\n", 0, found.start()) + 1 : found.start()].strip()
    ]
    return bool(fences) and len(fences) % 2 == 0


def fence_end(prompt: str, completion: str, language: Language) -> int | None:
    """Number of characters of the completion before a fence that ends its code; None if there is no such fence."""
    if FENCE not in completion:
        return None
    place = fence_place(prompt + completion, len(prompt), language)
    return None if place is None else len(completion[: place - len(prompt)].rstrip(" \t"))


def code_of(prompt: str, completion: str, language: Language) -> str:
    """The completion up to the end of its function, or a fence before that."""
    code = completion[: fence_end(prompt, completion, language)]
    return code[: function_end(prompt, code, language)]


def code_watcher(prompt: str, end: CodeEnd, language: Language | None = None) -> MakeWatcher | None:
    """What makes the watchers of a prompt's completions.

    Args:
        prompt: The text that the completions continue.
        end: Where their code ends.
        language: Of the prompt; None to recognise it. A prompt that is no code, or Markdown with closed blocks, has no
            watcher.

    Returns:
        A function that makes the watcher of one completion; None if nothing is to be watched for.
    """
    language = language or (None if end == "none" else language_of(prompt))
    if end == "none" or language is None or is_markdown(prompt, language):
        return None
    chosen = language
    return lambda: CodeWatcher(prompt, chosen, function=end == "function")


class CodeWatcher:
    """Finds the end of a completion's code while it grows; cheap enough to ask after every token.

    Args:
        prompt: The text that the completion continues.
        language: Of the prompt.
        function: Whether code ends with its function too.
    """

    def __init__(self, prompt: str, language: Language, *, function: bool) -> None:
        self._prompt, self._language, self._function = prompt, language, function
        columns = [indentation(line) for line in prompt.split("\n") if "def " in line]
        self._column = max(columns, default=-1)  # a line indented further than every `def` ends no function
        self._seen = self._fences_seen = 0

    def place(self, text: str) -> int | None:
        """Number of characters that belong to the program; None while that may still be all of them.

        Args:
            text: The whole completion so far. Each call's text starts with the text of the call before.
        """
        fence = self._fence(text)
        if not self._function:
            return fence
        if fence is None:
            return self._python_place(text) if self._language == "py" else self._c_place(text)
        ended = function_end(self._prompt, text[:fence], self._language)
        return fence if ended is None else ended

    def held_back(self, text: str) -> int:
        """Number of characters at the end of the text that the next tokens may show not to belong to the program."""
        stripped = text.rstrip("`")
        ticks = len(text) - len(stripped)
        held = 0 if ticks >= len(FENCE) else len(text) - len(stripped.rstrip(" \t"))
        if self._function and self._language == "py":
            line = text[text.rfind("\n") + 1 :]
            starts_here = len(line) < len(text) or self._prompt.endswith("\n")
            if starts_here and (not line.strip() or indentation(line) <= self._column):
                held = max(held, len(line))
        return held

    def _fence(self, text: str) -> int | None:
        started = max(0, self._fences_seen - len(FENCE) + 1)
        self._fences_seen = len(text)
        return fence_end(self._prompt, text, self._language) if FENCE in text[started:] else None

    def _python_place(self, text: str) -> int | None:
        """Looks at whole lines only: the start of a line may turn out to be part of a comment or a string."""
        end = text.rfind("\n") + 1
        if end <= self._seen:
            return None
        new, self._seen = text[self._seen : end], end
        if not any(_may_end(line, self._column) for line in new.split("\n")):
            return None
        return function_end(self._prompt, text[:end], "py")

    def _c_place(self, text: str) -> int | None:
        new, self._seen = text[self._seen :], len(text)
        return function_end(self._prompt, text, "c") if "}" in new else None


def _may_end(line: str, column: int) -> bool:
    stripped = line.lstrip()
    return bool(stripped) and not stripped.startswith("#") and indentation(line) <= column
