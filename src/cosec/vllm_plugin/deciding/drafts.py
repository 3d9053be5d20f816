"""Keeps what the security model said when it drafted, until the target has scored the draft.

vLLM itself keeps only the draft's probabilities after temperature. Our rules need the raw scores of the security model
and of its base. A draft may wait for several steps until it is scheduled, so it is kept for each request.

Axes: rows = requests of one drafting step, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.errors import CosecError


class UnscreenedTokenError(CosecError):
    """A token would have been emitted that no rule had screened; the engine stops instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """What one drafting step produced for all of its rows."""

    request_ids: Sequence[str]
    """The request of each row."""

    first: Sequence[int]
    """For each row, the index among the request's output tokens of the first drafted one."""

    token_ids: Int[Tensor, "rows k"]
    """The drafted tokens."""

    proposal_probs: Float[Tensor, "rows k"]
    """The probability with which each token was drawn."""

    security_log_probs: Float[Tensor, "rows k vocab"]
    """The security model's raw log-probabilities."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None
    """Raw log-probabilities of the security model's base; None if it was not run."""


@dataclass(frozen=True, slots=True)
class _Place:
    step: DraftStep
    row: int
    token_ids: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDrafts:
    """The drafts of several requests, padded to the longest that is wanted."""

    token_ids: Int[Tensor, "rows k"]
    """The drafted tokens."""

    proposal_probs: Float[Tensor, "rows k"]
    """The probability with which each token was drawn."""

    security_log_probs: Float[Tensor, "rows k vocab"]
    """The security model's raw log-probabilities."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None
    """Raw log-probabilities of the security model's base, if it was run."""


class DraftStore:
    """The latest draft of each request."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def keep(self, step: DraftStep) -> None:
        """Keep the drafts of a step in place of these requests' earlier ones."""
        tokens = step.token_ids.tolist()
        for row, request_id in enumerate(step.request_ids):
            self._places[request_id] = _Place(step, row, tokens[row])
        for request_id, place in self._places.items():
            if place.step is not step and len(place.step.request_ids) > 1:  # preempted: it would hold the whole step
                self._places[request_id] = _Place(_one_row(place.step, place.row), 0, place.token_ids)

    def forget(self, gone: Collection[str]) -> None:
        """Drop the drafts of requests that have left."""
        for request_id in gone:
            self._places.pop(request_id, None)

    def request_ids(self) -> list[str]:
        """The requests with a draft."""
        return list(self._places)

    def take(self, request_ids: Sequence[str], first: Sequence[int], drafted: Sequence[Sequence[int]]) -> KeptDrafts:
        """The drafts of these requests, checked against what is being verified.

        Args:
            request_ids: The requests.
            first: For each, the number of output tokens that it has.
            drafted: For each, the tokens being verified: its draft, or the beginning of it.

        Raises:
            UnscreenedTokenError: If the security model did not draft these tokens at this place.
        """
        k = max(map(len, drafted))
        places = [self._place(*wanted) for wanted in zip(request_ids, first, drafted, strict=True)]
        steps = {id(place.step): place.step for place in places}
        if len(steps) == 1:
            step, rows = places[0].step, [place.row for place in places]
            whole = rows == list(range(len(step.request_ids))) and k == step.token_ids.shape[1]
            return KeptDrafts(
                token_ids=step.token_ids if whole else step.token_ids[rows, :k],
                proposal_probs=step.proposal_probs if whole else step.proposal_probs[rows, :k],
                security_log_probs=step.security_log_probs if whole else step.security_log_probs[rows, :k],
                base_log_probs=None
                if step.base_log_probs is None
                else (step.base_log_probs if whole else step.base_log_probs[rows, :k]),
            )
        with_base = any(place.step.base_log_probs is not None for place in places)
        return KeptDrafts(
            token_ids=torch.stack([place.step.token_ids[place.row, :k] for place in places]),
            proposal_probs=torch.stack([place.step.proposal_probs[place.row, :k] for place in places]),
            security_log_probs=torch.stack([place.step.security_log_probs[place.row, :k] for place in places]),
            base_log_probs=torch.stack([_base(place, k) for place in places]) if with_base else None,
        )

    def _place(self, request_id: str, first: int, drafted: Sequence[int]) -> _Place:
        place = self._places.get(request_id)
        if place is None or place.step.first[place.row] != first or place.token_ids[: len(drafted)] != list(drafted):
            raise UnscreenedTokenError(
                f"Request {request_id}: the tokens to verify at output position {first} were not drafted by the "
                "security model. The plugin and this vLLM do not fit; please report it."
            )
        return place


def _base(place: _Place, k: int) -> Tensor:
    """The base's scores; the security model's own where the base was not run, since that request's rule needs none."""
    step = place.step
    scores = step.security_log_probs if step.base_log_probs is None else step.base_log_probs
    return scores[place.row, :k]


def _one_row(step: DraftStep, row: int) -> DraftStep:
    """A copy of one row, which does not keep the memory of the others."""
    return DraftStep(
        request_ids=step.request_ids[row : row + 1],
        first=step.first[row : row + 1],
        token_ids=step.token_ids[row : row + 1].clone(),
        proposal_probs=step.proposal_probs[row : row + 1].clone(),
        security_log_probs=step.security_log_probs[row : row + 1].clone(),
        base_log_probs=None if step.base_log_probs is None else step.base_log_probs[row : row + 1].clone(),
    )
