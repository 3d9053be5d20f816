"""The tokens of a vocabulary that begin with given bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor


class Beginnings:
    """Looks up tokens by the bytes that they begin with.

    Args:
        spellings: The bytes of each token, by its id; tokens without bytes are never found.
    """

    def __init__(self, spellings: Sequence[bytes]) -> None:
        order = sorted((spelling, token) for token, spelling in enumerate(spellings) if spelling)
        self._spellings = [spelling for spelling, _ in order]
        self._tokens = torch.tensor([token for _, token in order], dtype=torch.long)

    def of(self, begun: bytes, token: int) -> Int[Tensor, "tokens"]:
        """The tokens whose bytes begin with these, and one token that is always among them.

        Args:
            begun: Some bytes, at least one.
            token: The token, found or not.
        """
        low = bisect_left(self._spellings, begun)
        after = _after(begun)
        high = len(self._spellings) if after is None else bisect_left(self._spellings, after)
        found = self._tokens[low:high]
        return found if bool((found == token).any()) else torch.cat([found, torch.tensor([token])])


def _after(begun: bytes) -> bytes | None:
    """The least bytes that are greater than all that begin with these; None if there are none."""
    shorter = begun.rstrip(b"\xff")
    return shorter[:-1] + bytes([shorter[-1] + 1]) if shorter else None
