"""What the security model writes in place of the target's text: the gate's decisions, or the paper's proposals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cosec.decoding.blackbox.targets.text_target import TokenScore
from cosec.decoding.rules.schema import GateSettings, ThresholdSettings
from cosec.decoding.sampling import Warping
from cosec.decoding.sampling.randomness import Role, uniforms

MOST_DRAWS = 4
"""Most tokens that are drawn for a decision; if the target finds none of them plausible, its own text stands."""

Accepts = Callable[[Sequence[TokenScore]], bool]
"""Whether a token may replace the target's text, by the target's scores of its text."""


class Interventions(Protocol):
    """Draws tokens for one completion, and keeps what the target said about them."""

    asks_at_once: bool
    """Whether the target is asked about all drawn tokens of a piece of text, instead of the first one."""

    decides: bool
    """Whether some positions are security decisions, which records tell."""

    def at(self, divergence: float) -> bool:
        """Whether a token is drawn at a position with this divergence."""
        ...

    def drawn(self, position: int, log_probs: Float[Tensor, "vocab"]) -> int | None:
        """The token that is drawn from the security model; None if there is none."""
        ...

    def allows(self, position: int, token: int) -> bool:
        """Whether a drawn token may replace text, as far as is known."""
        ...

    def question(self, position: int, token: int, text: str, log_probs: Float[Tensor, "vocab"]) -> Accepts | None:
        """What must be asked before a token with this text replaces the target's; None if nothing, or no more."""
        ...

    def answer(self, position: int, token: int, *, accepted: bool) -> None:
        """Tell the answer to a question."""
        ...

    def forget(self) -> None:
        """Forget all answers, as the text that they were about is checked, or will not be."""
        ...


class GateDecisions:
    """The gate: tokens of the security model at security decisions.

    Args:
        gate: The rule.
        warped: Temperature and cuts.
        key: Of the completion's random numbers.
        writable: Which tokens a decision may write.
        stops: Tokens that end a text.
    """

    asks_at_once = False
    decides = True

    def __init__(
        self, gate: GateSettings, warped: Warping, key: bytes, writable: Bool[Tensor, "vocab"], stops: frozenset[int]
    ) -> None:
        self._gate, self._warped, self._key = gate, warped, key
        self._writable, self._stops = writable, stops
        self._refused: dict[int, list[int]] = {}
        """For each position the drawn tokens that the target does not find plausible."""
        self._plausible: set[tuple[int, int]] = set()
        """Positions and tokens that the target finds plausible."""

    def at(self, divergence: float) -> bool:
        """Whether the position is a decision."""
        return divergence > self._gate.strength

    def drawn(self, position: int, log_probs: Float[Tensor, "vocab"]) -> int | None:
        """The token that the security model writes; None if it has none of whole characters.

        A token that the target does not find plausible is drawn again from the others, a few times.
        """
        refused = self._refused.get(position, [])
        if len(refused) == MOST_DRAWS:
            return None
        allowed = self._writable.to(log_probs.device)
        if refused:
            allowed = allowed.index_fill(0, torch.tensor(refused, device=allowed.device), False)
        limited, possible = self._warped(log_probs.unsqueeze(0)).limited_to(allowed.unsqueeze(0))
        if not bool(possible):
            return None
        return int(limited.sample(uniforms([self._key], [position + (len(refused) << 32)], Role.PROPOSAL)))

    def allows(self, position: int, token: int) -> bool:
        """Always: only tokens are drawn that may be written."""
        return True

    def question(self, position: int, token: int, text: str, log_probs: Float[Tensor, "vocab"]) -> Accepts | None:
        """Whether the target finds each of its tokens of the text plausible; a stop token has none, and stands."""
        if not self._gate.plausibility_floor or token in self._stops or (position, token) in self._plausible:
            return None
        least = math.log(self._gate.plausibility_floor)
        return lambda scores: all(one.log_prob >= one.best + least for one in scores)

    def answer(self, position: int, token: int, *, accepted: bool) -> None:
        """Keep whether a token is plausible."""
        if accepted:
            self._plausible.add((position, token))
        else:
            self._refused.setdefault(position, []).append(token)

    def forget(self) -> None:
        """Forget what the target finds plausible."""
        self._refused.clear()
        self._plausible.clear()


class ThresholdProposals:
    """The paper's rule: a token of the security model at every position, accepted if the target finds it likely enough.

    The target's text is the fallback, as it does not depend on the proposal. Its probability is known of a text that is
    one of its tokens; every other proposal is rejected, and so are stop tokens.

    Args:
        rule: The rule.
        warped: Temperature and cuts.
        key: Of the completion's random numbers.
        writable: Which tokens are whole characters or end a text.
        stops: Tokens that end a text.
    """

    asks_at_once = True
    decides = False

    def __init__(
        self,
        rule: ThresholdSettings,
        warped: Warping,
        key: bytes,
        writable: Bool[Tensor, "vocab"],
        stops: frozenset[int],
    ) -> None:
        self._rule, self._warped, self._key = rule, warped, key
        self._writable, self._stops = writable, stops
        self._answers: dict[tuple[int, int], bool] = {}

    def at(self, divergence: float) -> bool:
        """Always: each position has a proposal."""
        return True

    def drawn(self, position: int, log_probs: Float[Tensor, "vocab"]) -> int | None:
        """The security model's proposal, after temperature and cuts."""
        law = self._warped(log_probs.unsqueeze(0))
        return int(law.sample(uniforms([self._key], [position], Role.PROPOSAL)))

    def allows(self, position: int, token: int) -> bool:
        """Whether a token has a text of whole characters, and was not rejected."""
        return bool(self._writable[token]) and token not in self._stops and self._answers.get((position, token), True)

    def question(self, position: int, token: int, text: str, log_probs: Float[Tensor, "vocab"]) -> Accepts | None:
        """Whether ``min(1, target / security)`` exceeds the threshold."""
        if (position, token) in self._answers:
            return None
        ours = float(log_probs[token])
        if self._rule.security_ratio == "warped":
            wanted = torch.tensor([token], device=log_probs.device)
            ours = float(self._warped(log_probs.unsqueeze(0)).prob_of(wanted).log())

        def accepted(scores: Sequence[TokenScore]) -> bool:
            if len(scores) != 1 or scores[0].text != text:
                return False  # the target divides the text otherwise here
            return math.exp(min(0.0, scores[0].log_prob - ours)) > self._rule.threshold

        return accepted

    def answer(self, position: int, token: int, *, accepted: bool) -> None:
        """Keep whether a proposal is accepted."""
        self._answers[position, token] = accepted

    def forget(self) -> None:
        """Forget which proposals are accepted."""
        self._answers.clear()
