"""The interface between a prepared pair and the runtime that runs its models."""

from __future__ import annotations

from typing import Protocol

from cosec.runtime.token_model import TokenModel


class PairModels(Protocol):
    """Target and security model of a pair, over weights that are in memory once.

    Every method returns a model without rows, whose logits are cut to the vocabulary that both models share.
    """

    @property
    def cache_bytes_per_token(self) -> int | None:
        """Bytes that one token of a hardened completion takes in all key-value caches; None if that is not known."""
        ...

    most_sequences: int | None
    """Largest number of rows, cached prompts included; None for no limit but memory."""

    def target(self) -> TokenModel:
        """The target model."""
        ...

    def security(self) -> TokenModel:
        """The security model, through its adapter if it is one. The pair must have a security model."""
        ...

    def base(self) -> TokenModel:
        """The security model's own base. The security model must be an adapter."""
        ...

    def opposed(self) -> TokenModel:
        """The security model in the leading half of the rows and the anti-expert in the other half.

        The pair must have an anti-expert.
        """
        ...

    def halves(self) -> TokenModel | None:
        """The security model in the leading half of the rows and its base in the other half, in one pass.

        None if this runtime has no such pass. The security model must be an adapter.
        """
        ...
