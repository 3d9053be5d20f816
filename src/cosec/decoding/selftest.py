"""A self-test of the engine: do emitted tokens follow the exact law on two small models whose law is known?

``cosec doctor`` runs it on the user's machine in a few seconds. The test suite compares many more draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings

_VOCABULARY = 5
_DRAWS = 4_000
_DEPTH = 2
_THRESHOLD = 0.4
_LARGEST_DEVIATION = 5.0
"""In standard errors; a correct engine exceeds it about once in 30 000 self-tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The result of the self-test."""

    passed: bool
    """Whether every observed frequency lies within five standard errors of the closed form."""

    summary: str
    """A one-line description."""


class _TableModel:
    """A model whose logits depend only on the last token."""

    def __init__(self, table: Float[Tensor, "last vocab"], last: Int[Tensor, "rows"] | None = None) -> None:
        self._table = table
        self._history = [] if last is None else [last]

    @property
    def row_count(self) -> int:
        return self._history[-1].shape[0] if self._history else 0

    def prefill(self, prompts: Sequence[Sequence[int]]) -> _TableModel:
        return _TableModel(self._table, torch.zeros(len(prompts), dtype=torch.long))

    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        return self._table[tokens]

    def rollback(self, dropped: Sequence[int]) -> None:
        """Does nothing: the next advance brings the last token."""

    def select(self, rows: Sequence[int]) -> None:
        self._history = [self._history[-1][list(rows)]]

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Does nothing: the next advance brings the last token."""

    def join(self, newcomers: Sequence[_TableModel]) -> None:
        self._history = [torch.cat([one._history[-1] for one in (self, *newcomers)])]

    def fork(self, kept: int) -> _TableModel:
        return _TableModel(self._table, self._history[-1])


def law_selftest() -> SelfTest:
    """Compare emitted tokens with the closed form, for draft lengths 1 and 4 under the paper's rule."""
    generator = torch.Generator().manual_seed(20)
    security, target = (torch.randn(_VOCABULARY, _VOCABULARY, generator=generator) * 1.5 for _ in range(2))
    worst = 0.0
    for draft_length in (1, 4):
        settings = DecodingSettings(
            rule=ThresholdSettings(threshold=_THRESHOLD),
            sampling=SamplingSettings(
                temperature=0.8, top_p=0.95, max_new_tokens=_DEPTH + 1, draft_length=draft_length
            ),
        )
        counts = _emitted(security, target, settings)
        expected = _expected(security, target, settings) * _DRAWS
        errors = (expected * (1 - expected / _DRAWS)).sqrt().clamp(min=1.0)
        worst = max(worst, float(((counts - expected).abs() / errors).max()))
    return SelfTest(
        passed=worst < _LARGEST_DEVIATION,
        summary=f"largest deviation from the closed form: {worst:.1f} standard errors over {2 * _DRAWS} draws",
    )


def _emitted(security: Tensor, target: Tensor, settings: DecodingSettings) -> Tensor:
    """How often each token was emitted at the third position."""
    requests = [SequenceRequest(prompt_ids=(0,), sample_index=i, max_new_tokens=_DEPTH + 1) for i in range(_DRAWS)]
    lanes = TwoModelLanes(_TableModel(security), _TableModel(target))
    run = Run(lanes, rule_for(settings), settings, requests)
    counts = torch.zeros(_VOCABULARY)
    while emissions := run.step():
        for record in itertools.chain.from_iterable(emission.records for emission in emissions):
            if record.position == _DEPTH:
                counts[record.token_id] += 1
    return counts


def _expected(security: Tensor, target: Tensor, settings: DecodingSettings) -> Tensor:
    """The closed form of the third token's law, as a product of transition matrices."""
    temperature, top_p = settings.sampling.temperature, settings.sampling.top_p
    proposal, fallback = (_cut((logits / temperature).softmax(-1), top_p) for logits in (security, target))
    accepted = (target.softmax(-1) / security.softmax(-1) > _THRESHOLD).float()
    rejected = (proposal * (1 - accepted)).sum(-1, keepdim=True)
    step = proposal * accepted + rejected * fallback
    law = torch.nn.functional.one_hot(torch.tensor(0), _VOCABULARY).float()
    for _ in range(_DEPTH + 1):
        law = law @ step
    return law


def _cut(probs: Tensor, top_p: float) -> Tensor:
    """Top-p by sorting: keep the most likely tokens up to the first that reaches the mass."""
    ordered, order = probs.sort(-1, descending=True)
    kept = ordered.masked_fill(ordered.cumsum(-1) - ordered >= top_p, 0.0)
    cut = torch.zeros_like(probs).scatter(-1, order, kept)
    return cut / cut.sum(-1, keepdim=True)
