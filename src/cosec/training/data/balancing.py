"""Repeat the examples of rare weaknesses and rare languages, keeping every original.

The paper's two steps: a CWE with fewer than ``cwe_floor`` examples is repeated up to it; then, inside each CWE, a
language with fewer than ``language_floor`` is repeated up to that. For training only, never for validation.
"""

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from cosec.training.data.security_pairs import SecurityPair


class HasPair(Protocol):
    """Anything that is made from one security pair."""

    @property
    def pair(self) -> SecurityPair:
        """The pair, which gives the CWE and the language."""
        ...


Item = TypeVar("Item", bound=HasPair)
"""An item that belongs to a pair, of any type."""


def balance(items: Sequence[Item], *, cwe_floor: int, language_floor: int, seed: int) -> list[Item]:
    """Append repeats to ``items`` until every CWE, and every language seen inside a CWE, reaches its floor.

    Repeats are spread evenly: every item of a group is repeated once before any of them is repeated again. The seed
    chooses the order. A language that a CWE does not have stays absent. A floor of 0 switches its step off.

    Args:
        items: The originals; all are kept, in order, at the front of the result.
        cwe_floor: Least number of examples per CWE (paper: n = 60).
        language_floor: Least number of examples per language inside a CWE (paper: k = 10).
        seed: Chooses the items to repeat; the same seed gives the same list.
    """
    balanced = list(items)
    for cwe in sorted({item.pair.cwe for item in items}):
        originals = [item for item in items if item.pair.cwe == cwe]
        group = originals + _repeats(originals, cwe_floor - len(originals), f"{seed}/{cwe}")
        for language in sorted({item.pair.language for item in originals}):
            of_language = [item for item in originals if item.pair.language == language]
            missing = language_floor - sum(item.pair.language == language for item in group)
            group += _repeats(of_language, missing, f"{seed}/{cwe}/{language}")
        balanced += group[len(originals) :]
    return balanced


def _repeats(originals: Sequence[Item], count: int, seed: str) -> list[Item]:
    """``count`` repeats of ``originals`` in a seeded order, cycling as often as needed."""
    order = random.Random(seed).sample(list(originals), len(originals))
    return [order[index % len(order)] for index in range(max(count, 0))]
