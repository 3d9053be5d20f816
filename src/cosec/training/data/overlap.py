"""Detect texts that share a run of words with an evaluation set.

A run is thirteen words, as in GPT-3's decontamination (Brown et al. 2020, appendix C). Words are sequences of letters,
digits and underscores in lower case. Lines that only import or include are ignored, because every program has them.
"""

import re
from collections.abc import Iterable, Iterator

RUN = 13
"""Length of a run, in words."""

_IMPORT = re.compile(
    r"^[ \t]*(?:#[ \t]*include\b.*|import[ \t][^;\n]*|from[ \t]+\S+[ \t]+import[ \t][^;\n]*)$", re.MULTILINE
)
_WORD = re.compile(r"\w+")


class ProtectedTexts:
    """The runs of words of the texts that must not be trained on.

    Args:
        texts: A text of fewer than ``RUN`` words protects nothing.
        sources: What they are called in reports.
    """

    def __init__(self, texts: Iterable[str], sources: tuple[str, ...]) -> None:
        self._runs = {run for text in texts for run in word_runs(text)}
        self.sources = sources

    def found_in(self, text: str) -> bool:
        """Whether ``text`` holds one of the runs."""
        return any(run in self._runs for run in word_runs(text))


def word_runs(text: str) -> Iterator[str]:
    """Yield every run of ``RUN`` words of ``text``, in order, words joined by single spaces."""
    words = _WORD.findall(_IMPORT.sub("", text).lower())
    for start in range(len(words) - RUN + 1):
        yield " ".join(words[start : start + RUN])
