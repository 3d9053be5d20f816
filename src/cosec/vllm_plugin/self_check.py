"""The start-up check through the whole engine: do emitted tokens follow the law in closed form?

A worker is watched while the engine draws many first tokens after one prompt: of several, that after which the rule's
law differs most from the target's. The check compares what a client receives with the closed form, computed here from
the raw scores that the worker saw, and not by the rules under test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from cosec.errors import CosecError

DRAWS = 256
"""Number of samples that are drawn for each rule."""

_THRESHOLD, _STRENGTH = 0.3, 2.0
_LEAST_P_VALUE = 1e-6
_RARE = 5.0
_LOGPROB_TOLERANCE = 0.25
"""Half-precision scores of the same place differ between batches, in nats."""


class LawBroken(CosecError):  # noqa: N818 - reads as what happened
    """The start-up check found that the engine does not follow our rules; it must not serve."""


class Engine(Protocol):
    """What the check asks of an engine."""

    async def call_workers(self, method: str) -> list[list[Any]]:
        """Call a method of every worker; one list for each data-parallel engine."""
        ...

    @property
    def prompts(self) -> Sequence[Sequence[int]]:
        """The prompts to choose from, as token ids."""
        ...

    async def first_tokens(self, prompt: Sequence[int], rule: dict[str, Any], count: int) -> list[list[int]]:
        """Draw short samples at temperature 1 after a prompt."""
        ...

    async def logprob_after(self, prompt: Sequence[int], token: int) -> float:
        """The target's log-probability of a token after a prompt, read as a prompt."""
        ...


async def check_law(engine: Engine, *, with_base: bool) -> str:
    """Check an engine before it serves.

    Args:
        engine: The engine.
        with_base: Whether it has the security model's base.

    Returns:
        One line on what was found.

    Raises:
        LawBroken: If no worker drafts by our rules, a token was not screened, or the tokens do not follow the law.
    """
    if not all(any(workers) for workers in await engine.call_workers("cosec_active")):
        raise LawBroken("No worker of this engine drafts with the security model.")
    rules: list[dict[str, Any]] = [{"cosec_rule": "threshold", "cosec_preset": "paper", "cosec_threshold": _THRESHOLD}]
    if with_base:
        rules.append({"cosec_rule": "steer", "cosec_strength": _STRENGTH})
    found = [f"{rule['cosec_rule']} {await _p_value(engine, rule):.2g}" for rule in rules]
    return f"{DRAWS} first tokens follow the law (p-value: {', '.join(found)})"


async def _p_value(engine: Engine, rule: dict[str, Any]) -> float:
    """The p-value of first tokens against the closed form, after the other checks."""
    prompt = await _telling_prompt(engine, rule)
    await engine.call_workers("cosec_watch")
    samples = await engine.first_tokens(prompt, rule, DRAWS)
    seen = await engine.call_workers("cosec_seen")
    received = sum(map(len, samples))
    # Workers of one engine decide the same tokens.
    decided = sum(max(one["tokens"] for one in workers) for workers in seen)
    if decided < received:
        raise LawBroken(f"The client received {received} tokens, of which the rules had decided {decided}.")
    scores = _scores(seen)
    counts = Counter(sample[0] for sample in samples)
    common = counts.most_common(1)[0][0]
    gap = abs(await engine.logprob_after(prompt, common) - float(scores["target"][common]))
    if gap > _LOGPROB_TOLERANCE:
        raise LawBroken(f"The target's log-probability of a first token differs by {gap:.2f} from that of a prompt.")
    value = p_value(counts, closed_form(rule, scores))
    if value < _LEAST_P_VALUE:
        raise LawBroken(f"First tokens under {rule} do not follow the rule's law (p-value {value:.1g}).")
    return value


async def _telling_prompt(engine: Engine, rule: dict[str, Any]) -> Sequence[int]:
    """The prompt after which the rule's law is furthest from the target's, so that another rule is noticed."""
    distances = []
    for prompt in engine.prompts:
        await engine.call_workers("cosec_watch")
        await engine.first_tokens(prompt, rule, 1)
        scores = _scores(await engine.call_workers("cosec_seen"))
        distances.append(float((closed_form(rule, scores) - scores["target"].exp()).abs().sum()))
    return engine.prompts[distances.index(max(distances))]


def _scores(seen: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Tensor]:
    """The raw log-probabilities that a worker saw.

    Raises:
        LawBroken: If none saw any.
    """
    scores = next((one["scores"] for workers in seen for one in workers if one["scores"]), None)
    if scores is None:
        raise LawBroken("No worker verified the first token of a request.")
    return {name: torch.tensor(one).double() for name, one in scores.items()}


def closed_form(rule: dict[str, Any], scores: dict[str, Tensor]) -> Float[Tensor, "vocab"]:
    """The law of one position at temperature 1 without cuts: the paper's formula, or the steered target."""
    target, security = scores["target"], scores["security"]
    if rule["cosec_rule"] == "steer":
        return (target + float(rule["cosec_strength"]) * (security - scores["base"])).softmax(dim=-1)
    proposed = security.exp()
    stands = (target - security).exp().clamp(max=1.0) > float(rule["cosec_threshold"])
    return torch.where(stands, proposed, 0.0) + proposed[~stands].sum() * target.exp()


def p_value(counts: Counter[int], law: Float[Tensor, "vocab"]) -> float:
    """Pearson's test, with rare tokens counted together; 0 if a token without probability was drawn."""
    draws = sum(counts.values())
    expected = law / law.sum() * draws
    if any(float(expected[token]) <= 0.0 for token in counts):
        return 0.0
    frequent = (expected >= _RARE).nonzero().flatten().tolist()
    pairs = [(counts[token], float(expected[token])) for token in frequent]
    rest = draws - sum(wanted for _, wanted in pairs)
    pairs.append((draws - sum(seen for seen, _ in pairs), max(rest, 1e-9)))
    if rest < _RARE and len(pairs) > 1:
        (seen, wanted), (more_seen, more_wanted) = pairs.pop(), pairs.pop()
        pairs.append((seen + more_seen, wanted + more_wanted))
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in pairs)
    freedom = len(pairs) - 1
    if not freedom:
        return 1.0
    return float(torch.special.gammaincc(torch.tensor(freedom / 2.0).double(), torch.tensor(statistic / 2.0).double()))
