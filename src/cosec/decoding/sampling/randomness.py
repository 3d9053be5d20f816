"""One random stream per (sequence, position, role), so that scheduling never changes a text.

A draw depends on nothing but the seed, the sequence's identity, the position in the completion and what the draw is
for. Hence the draft length, the batch a sequence happens to run in and the order of its neighbours cannot change what
it says.
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
    """What a random number decides."""

    PROPOSAL = 0
    """Which token the security model proposes."""

    FALLBACK = 1
    """Which token is chosen after a rejection, or by the target on its own."""

    ACCEPTANCE = 2
    """Whether a proposal stands, under rules that accept by chance."""


def sequence_key(seed: int, prompt_ids: Sequence[int], sample_index: int) -> bytes:
    """The identity of one completion: its seed, its prompt and which of the n samples it is."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(struct.pack("<QQ", seed, sample_index))
    digest.update(struct.pack(f"<{len(prompt_ids)}I", *prompt_ids))
    return digest.digest()


def uniforms(keys: Sequence[bytes], positions: Sequence[int], role: Role) -> Float[Tensor, "rows"]:
    """One float64 in [0, 1) per row, from a keyed hash (BLAKE2b) of position and role."""
    draws = [
        int.from_bytes(hashlib.blake2b(struct.pack("<QB", position, role), key=key, digest_size=8).digest(), "little")
        >> 11
        for key, position in zip(keys, positions, strict=True)
    ]
    return torch.tensor(draws, dtype=torch.float64) * 2.0**-53
