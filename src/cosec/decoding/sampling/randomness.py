"""Random numbers that depend on the sequence, the position and the role of a draw, and on nothing else.

The draft length, the batch that a sequence runs in, and the order of its rows therefore never change a text.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from enum import IntEnum

import torch
from jaxtyping import Float
from torch import Tensor


class Role(IntEnum):
    """What a random number is used for."""

    PROPOSAL = 0
    """Which token the security model proposes."""

    FALLBACK = 1
    """Which token replaces a rejected proposal, or is drawn by a model alone."""

    ACCEPTANCE = 2
    """Whether a proposal is accepted, under rules that accept at random."""


def sequence_key(seed: int, prompt_ids: Sequence[int], sample_index: int) -> bytes:
    """The random identity of one completion: a hash of its seed, its prompt and its sample index."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(struct.pack("<QQ", seed, sample_index))
    digest.update(struct.pack(f"<{len(prompt_ids)}I", *prompt_ids))
    return digest.digest()


def uniforms(keys: Sequence[bytes], positions: Sequence[int], role: Role) -> Float[Tensor, "rows"]:
    """One float64 in [0, 1) for each row, from a keyed hash (BLAKE2b) of position and role."""
    draws = [
        int.from_bytes(hashlib.blake2b(struct.pack("<QB", position, role), key=key, digest_size=8).digest(), "little")
        >> 11
        for key, position in zip(keys, positions, strict=True)
    ]
    return torch.tensor(draws, dtype=torch.float64) * 2.0**-53
