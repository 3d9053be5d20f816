"""The law of one position in closed form, written from the formula and independent of the code under test.

``P(x) = Sw(x)·A(x) + (sum over y of Sw(y)·(1 - A(y))) · F(x)`` with the proposal distribution Sw, acceptance A and
the fallback distribution F.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from torch import Tensor

Vector = np.ndarray
PRESETS = {  # target ratio, security ratio, fallback
    "paper": ("raw", "raw", "warped"),
    "release": ("raw", "raw", "raw"),
    "cosec": ("raw", "warped", "raw"),
    "warped": ("warped", "warped", "warped"),
}


def raw(logits: Vector) -> Vector:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def warped(logits: Vector, temperature: float, top_p: float, top_k: float = 0, min_p: float = 0.0) -> Vector:
    probs = raw(logits / temperature)
    probs = np.where(probs >= min_p * probs.max(), probs, 0.0)
    order = np.argsort(-probs)
    probs[order[int(top_k) or len(probs) :]] = 0.0
    probs = probs / probs.sum()
    reached = np.cumsum(probs[order])
    kept = order[: int(np.searchsorted(reached, top_p)) + 1]
    cut = np.zeros_like(probs)
    cut[kept] = probs[kept]
    return cut / cut.sum()


def position_law(security: Vector, target: Vector, *, preset: str, threshold: float, **sampling: float) -> Vector:
    """The law of the next token, from both models' logits."""
    views = {
        name: {"raw": raw(logits), "warped": warped(logits, **sampling)}
        for name, logits in (("security", security), ("target", target))
    }
    target_ratio, security_ratio, fallback = PRESETS[preset]
    proposal = views["security"]["warped"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = views["target"][target_ratio] / views["security"][security_ratio]
    accepted = (np.minimum(1.0, np.nan_to_num(ratio)) > threshold).astype(float)
    rejected_mass = float((proposal * (1 - accepted)).sum())
    return proposal * accepted + rejected_mass * views["target"][fallback]


def law_at(depth: int, prompt: list[int], law: Callable[[list[int]], Vector]) -> Vector:
    """The marginal law ``depth`` tokens after the prompt, by summing over every path that leads there."""
    first = law(prompt)
    vocabulary = len(first)
    total = np.zeros(vocabulary)
    for path in itertools.product(range(vocabulary), repeat=depth):
        weight, prefix = 1.0, list(prompt)
        for token in path:
            weight *= law(prefix)[token]
            prefix.append(token)
        total += weight * law(prefix)
    return total


def logits_after(table: Tensor, prefix: list[int]) -> Vector:
    """The scripted model's logits after a prefix."""
    order = table.dim() - 1
    padded = [0] * order + prefix
    return table[tuple(padded[len(padded) - order :])].double().numpy()


def divergence(security: Vector, base: Vector, kind: str) -> float:
    one, other = raw(security), raw(base)
    if kind == "argmax":
        return float(one.argmax() != other.argmax())
    if kind == "kl":
        return float((one * np.log(one / other)).sum())
    middle = (one + other) / 2
    return float(((one * np.log(one / middle)).sum() + (other * np.log(other / middle)).sum()) / 2)


def lossless_law(target: Vector, security: Vector, base: Vector, rule: dict[str, object], **sampling: float) -> Vector:
    """The law of the next token under speculative, steer and gate, from the three models' logits."""

    def steered(strength: float, floor: float = 0.0) -> Vector:
        change = np.log(raw(security)) - np.log(raw(base))
        change = np.where(raw(security) < floor * raw(security).max(), np.minimum(change, 0.0), change)
        return warped(np.log(raw(target)) + strength * change, **sampling)

    plain = warped(target, **sampling)
    if rule["name"] == "speculative":
        return plain
    if rule["name"] == "steer":
        return steered(float(rule["strength"]), float(rule.get("security_floor", 0.0)))  # type: ignore[arg-type]
    if divergence(security, base, str(rule.get("divergence", "kl"))) <= float(rule["strength"]):  # type: ignore[arg-type]
        return plain
    decision = warped(security, **sampling)
    if rule.get("decision") == "steered":
        decision = steered(float(rule["steering_strength"]))  # type: ignore[arg-type]
    possible = raw(target) >= float(rule.get("plausibility_floor", 0.02)) * raw(target).max()  # type: ignore[arg-type]
    limited = decision * possible
    return limited / limited.sum() if limited.sum() > 0 else plain
