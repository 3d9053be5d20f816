"""Log-probabilities of a prompt's own tokens under the target, for ``echo`` with ``logprobs``; read in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cosec.runtime import TokenModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredToken:
    """One token of a prompt."""

    token_id: int
    """The token."""

    log_prob: float | None
    """The target's raw log-probability given the tokens before it; None for the first token."""

    top_logprobs: tuple[tuple[int, float], ...] = ()
    """The most likely tokens at its position, best first."""


class PromptScoring:
    """Scores one prompt with the target, piece by piece.

    Args:
        target: The target model; the prompt gets a batch of its own.
        prompt: The prompt, at least one token.
        alternatives: How many of the most likely tokens to record at each position.
    """

    def __init__(self, target: TokenModel, prompt: Sequence[int], alternatives: int) -> None:
        self._model = target.prefill([()])
        self._prompt = tuple(prompt)
        self._alternatives = alternatives
        self.tokens = [ScoredToken(token_id=self._prompt[0], log_prob=None)]
        """The tokens scored so far."""

    @property
    def missing(self) -> int:
        """Number of tokens still to be scored."""
        return len(self._prompt) - len(self.tokens)

    @torch.inference_mode()
    def read(self, at_most: int) -> int:
        """Score up to ``at_most`` more tokens.

        Returns:
            The number of tokens scored.
        """
        start = len(self.tokens)
        count = min(at_most, self.missing)
        if not count:
            return 0
        fed = torch.tensor([self._prompt[start - 1 : start - 1 + count]])
        log_probs = self._model.advance(fed)[0].log_softmax(dim=-1)  # (count, vocab)
        judged = self._prompt[start : start + count]
        found = log_probs.gather(1, torch.tensor(judged, device=log_probs.device).unsqueeze(1)).squeeze(1).tolist()
        values, ids = log_probs.topk(min(self._alternatives, log_probs.shape[1]), dim=-1)
        for token, log_prob, numbers, names in zip(judged, found, values.tolist(), ids.tolist(), strict=True):
            best = tuple(zip(names, numbers, strict=True))
            self.tokens.append(ScoredToken(token_id=token, log_prob=log_prob, top_logprobs=best))
        return count
