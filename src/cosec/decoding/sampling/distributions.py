"""Distributions over next tokens: temperature, min-p, top-k, top-p, and drawing by the inverse distribution function.

Nothing is cut unless it is asked for: there is no hidden top-k.

A distribution keeps its tokens in ascending order of their ids. The order of two nearly equal probabilities differs
between batch sizes, and so does not affect which token a random number draws.

Axes: rows = sequences, vocab = entries that both models share, kept = tokens that survive the cuts (padded with
probability 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cosec.decoding.settings import SamplingSettings

_FIRST_LOOK = 32
"""Top-p first considers this many most likely tokens, and more only if their mass is too small."""
_GROUP = 32
"""Size of the groups in :func:`most_likely`, of which only the maximum is compared first."""
_LEAST_TEMPERATURE = 1e-6
"""Smallest positive temperature used; dividing float32 log-probabilities by less would overflow."""


@dataclass(frozen=True, slots=True)
class TokenDistribution:
    """Probabilities of next tokens, one distribution for each row."""

    probs: Float[Tensor, "rows kept"]
    """Probability of each kept token; rows sum to 1."""

    token_ids: Int[Tensor, "rows kept"] | None = None
    """Ids of the kept tokens in ascending order; None if the whole vocabulary is kept."""

    def sample(self, uniforms: Float[Tensor, "rows"]) -> Int[Tensor, "rows"]:
        """Draw a token for each row: the first whose cumulative probability exceeds the row's number in [0, 1)."""
        if self.token_ids is not None and self.probs.shape[-1] == 1:
            return self.token_ids.squeeze(-1)
        cumulative = self.probs.double().cumsum(dim=-1)
        targets = uniforms.to(cumulative.device).unsqueeze(-1) * cumulative[:, -1:]
        index = torch.searchsorted(cumulative, targets, right=True)
        # A rounding error at the upper end must not select a token without probability.
        last = self.probs.shape[-1] - 1 - (self.probs > 0).flip(-1).int().argmax(dim=-1, keepdim=True)
        index = torch.minimum(index, last)
        return (index if self.token_ids is None else self.token_ids.gather(-1, index)).squeeze(-1)

    def prob_of(self, tokens: Int[Tensor, "rows"]) -> Float[Tensor, "rows"]:
        """The probability of one token in each row; 0 for a token that is not kept."""
        wanted = tokens.unsqueeze(-1)
        if self.token_ids is None:
            return self.probs.gather(-1, wanted).squeeze(-1)
        return torch.where(self.token_ids == wanted, self.probs, 0.0).sum(dim=-1)

    def beyond(self, other: TokenDistribution, vocabulary_size: int) -> TokenDistribution:
        """The residual ``max(0, self - other)``, renormalised; this distribution itself where the residual is zero."""
        known = other.dense(vocabulary_size)
        lacking = self.probs - (known if self.token_ids is None else known.gather(-1, self.token_ids))
        # Padding repeats an id with probability 0, and keeps it.
        lacking = torch.where(self.probs > 0, lacking.clamp(min=0.0), 0.0)
        mass = lacking.sum(dim=-1, keepdim=True)
        return TokenDistribution(torch.where(mass > 0, lacking / mass, self.probs), self.token_ids)

    def limited_to(self, allowed: Bool[Tensor, "rows vocab"]) -> tuple[TokenDistribution, Bool[Tensor, "rows"]]:
        """Restrict to the allowed tokens and renormalise.

        Returns:
            The distribution, in which rows without any allowed token are unchanged; and which rows have one.
        """
        kept = allowed if self.token_ids is None else allowed.gather(-1, self.token_ids)
        probs = torch.where(kept, self.probs, 0.0)
        mass = probs.sum(dim=-1, keepdim=True)
        limited = torch.where(mass > 0, probs / mass, self.probs)
        return TokenDistribution(limited, self.token_ids), (mass > 0).squeeze(-1)

    def of_rows(self, rows: Bool[Tensor, "rows"] | Int[Tensor, "chosen"] | Sequence[int]) -> TokenDistribution:
        """These rows only, given as a mask or as indices."""
        return TokenDistribution(self.probs[rows], None if self.token_ids is None else self.token_ids[rows])

    def replaced_by(self, other: TokenDistribution, rows: Int[Tensor, "others"]) -> TokenDistribution:
        """This distribution with ``rows`` replaced by those of ``other``.

        Either both must keep the whole vocabulary, or neither.
        """
        if self.token_ids is None or other.token_ids is None:
            return TokenDistribution(self.probs.index_copy(0, rows, other.probs))
        width = max(self.probs.shape[-1], other.probs.shape[-1])
        probs, token_ids = _widened(self.probs, width), _widened(self.token_ids, width)
        return TokenDistribution(
            probs.index_copy(0, rows, _widened(other.probs, width)),
            token_ids.index_copy(0, rows, _widened(other.token_ids, width)),
        )

    def dense(self, vocabulary_size: int) -> Float[Tensor, "rows vocab"]:
        """The probabilities over the whole vocabulary."""
        if self.token_ids is None:
            return self.probs
        whole = self.probs.new_zeros(self.probs.shape[0], vocabulary_size)
        return whole.scatter_add(-1, self.token_ids, self.probs)


def _widened(tensor: Tensor, width: int) -> Tensor:
    """``tensor``, padded with zeros at the end of its last axis."""
    return torch.nn.functional.pad(tensor, (0, width - tensor.shape[-1]))


def raw_distribution(log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
    """The model's own distribution, without temperature or cuts."""
    return TokenDistribution(log_probs.exp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Warping:
    """Temperature and cuts: what turns a model's own distribution into the one that is sampled."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""

    top_p: float = 1.0
    """Keep the most likely tokens that together reach this share of the mass; 1 keeps all."""

    top_k: int = 0
    """Keep this many most likely tokens; 0 keeps all."""

    min_p: float = 0.0
    """Keep tokens with at least this share of the highest probability; 0 keeps all."""

    @classmethod
    def of(cls, sampling: SamplingSettings) -> Warping:
        """The temperature and the cuts of sampling settings."""
        return cls(temperature=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, min_p=sampling.min_p)

    def __call__(self, log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The distribution after temperature and cuts; see :func:`warped_distribution`."""
        return warped_distribution(log_probs, self.temperature, self.top_p, self.top_k, self.min_p)


def warped_distribution(
    log_probs: Float[Tensor, "rows vocab"], temperature: float, top_p: float, top_k: int = 0, min_p: float = 0.0
) -> TokenDistribution:
    """The distribution after temperature, min-p, top-k and top-p, renormalised.

    Temperature 0 puts everything on the most likely token (the lowest id among equals). The cuts apply in this order,
    each to what the one before left, renormalised. Min-p keeps tokens with at least ``min_p`` times the highest
    probability. Top-k keeps the ``top_k`` most likely tokens. Top-p keeps the smallest set of most likely tokens whose
    mass reaches ``top_p``. Tokens exactly as likely as the last one kept are kept too. 0, 0 and 1 cut nothing.
    """
    if temperature == 0.0:
        best = log_probs.argmax(dim=-1, keepdim=True)
        return TokenDistribution(torch.ones_like(best, dtype=torch.float32), best)
    probs = torch.softmax(log_probs / max(temperature, _LEAST_TEMPERATURE), dim=-1)
    if top_p >= 1.0 and not top_k and not min_p:
        return TokenDistribution(probs)
    kept = min(max(_FIRST_LOOK, top_k + 1), probs.shape[-1])
    while True:
        values, token_ids = most_likely(probs, kept)
        cut, found = _cut(values, top_p, top_k, min_p)
        if kept == probs.shape[-1] or found:
            break
        kept = min(kept * 8, probs.shape[-1])
    width = int((values >= cut).sum(dim=-1).max())
    token_ids, order = token_ids[:, :width].sort(dim=-1)
    values = torch.where(values >= cut, values, 0.0)[:, :width].gather(-1, order)
    return TokenDistribution(values / values.sum(dim=-1, keepdim=True), token_ids)


def _cut(
    values: Float[Tensor, "rows candidates"], top_p: float, top_k: int, min_p: float
) -> tuple[Float[Tensor, "rows 1"], bool]:
    """The probability of the last token that each row keeps, and whether every token as likely is a candidate.

    Args:
        values: Probabilities of the most likely tokens in descending order.
        top_p: Share of the mass to reach.
        top_k: Number of tokens to keep, less than the number of candidates or at least the whole vocabulary; 0 for all.
        min_p: Least share of the highest probability; 0 for all.
    """
    candidates = values.shape[-1]
    mass: float | Tensor = top_p
    floor = values[:, :1] * min_p
    if 0 < top_k < candidates:
        floor = torch.maximum(floor, values[:, top_k - 1 : top_k])
    if top_k or min_p:
        left = torch.where(values >= floor, values, 0.0).sum(dim=-1, keepdim=True)
        if top_p >= 1.0:
            return floor, bool((values[:, -1:] < floor).all())
        mass = top_p * left
    cut_index = (values.cumsum(dim=-1) < mass).sum(dim=-1, keepdim=True)
    cut = torch.maximum(values.gather(-1, cut_index.clamp(max=candidates - 1)), floor)
    # The candidates must reach below the last kept probability, or tokens equal to it could be missed. If earlier cuts
    # limit the mass, they must reach below these cuts too.
    least = floor if top_k or min_p else cut
    return cut, bool(((cut_index < candidates) & (values[:, -1:] < least)).all())


def most_likely(
    probs: Float[Tensor, "rows vocab"], count: int
) -> tuple[Float[Tensor, "rows count"], Int[Tensor, "rows count"]]:
    """The highest probabilities and their tokens, like ``topk``, but faster for a small count.

    The ``count`` groups with the highest maxima contain ``count`` tokens at least as likely as any token outside them.
    """
    rows, vocabulary = probs.shape
    groups = vocabulary // _GROUP
    if groups < 4 * count:
        return probs.topk(count, dim=-1)
    grouped = groups * _GROUP
    best = probs[:, :grouped].reshape(rows, _GROUP, groups).amax(dim=1).topk(count, dim=-1, sorted=False).indices
    members = torch.arange(0, grouped, groups, device=probs.device).unsqueeze(-1)
    rest = torch.arange(grouped, vocabulary, device=probs.device).expand(rows, -1)
    token_ids = torch.cat([(best.unsqueeze(1) + members).flatten(1), rest], dim=-1)
    values, order = probs.gather(-1, token_ids).topk(count, dim=-1)
    return values, token_ids.gather(-1, order)
