"""The rules that a target allows that is hardened as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosec.decoding.rules.rule_file import unamplified
from cosec.decoding.rules.schema import PRESETS, changed_rule, rule_name, rule_schemas
from cosec.errors import SettingsError

WHY_GATE_ONLY = (
    "only the target's text is known: the gate leaves the target's text as it is outside of security decisions and "
    "needs no more"
)
"""Why a server that gives text alone allows the gate alone."""

WHY_THRESHOLD = (
    "the server gives the log-probabilities of a prompt and its tokens are those of the security model: threshold "
    "compares the two models' probabilities of a token"
)
"""Why a server allows the paper's rule too."""

WHY_AT_A_SERVER = (
    "a server gives at most its text and the probabilities of a prompt: the gate needs the text, and threshold the "
    "probability of the drafted token"
)
"""Why a server allows no other rules than these."""

WHY_GATE_AND_STEER = (
    "the two models have different tokens: the gate and steer compare the security model with its own base over the "
    "target's text, and the other rules compare it with the target token by token"
)
"""Why a target in this process with another tokenizer allows the gate and steer."""


_WITHOUT_EFFECT = {
    "gate": ("decision", "steering_strength"),
    "steer": ("against", "security_floor"),
    "threshold": ("preset", "target_ratio", "fallback"),
}
"""Settings of each rule of which only the default can be used over text."""


def text_rules(*, in_process: bool) -> tuple[str, ...]:
    """Names of the rules for a target in this process, or at a server; the first is the default."""
    return ("gate", "steer") if in_process else ("gate", "threshold")


def text_rule_schemas(*, in_process: bool) -> dict[str, dict[str, Any]]:
    """The rules and the settings that can be used over text, as ``rule_schemas`` describes them.

    Rules that put tokens in place of the target's text have an entry more, ``changed``: what a changed token is.
    """
    known = {name: rule_schemas()[name] for name in text_rules(in_process=in_process)}
    for name, rule in known.items():
        rule["settings"] = {one: what for one, what in rule["settings"].items() if one not in _WITHOUT_EFFECT[name]}
        rule["replaces"] = {one: what for one, what in rule["replaces"].items() if one in rule["settings"]}
        if name != "steer":
            rule["changed"] = "put by the security model in place of the target's text"
    return known


def text_rule(own: Mapping[str, object], given: Mapping[str, object], *, in_process: bool = False) -> dict[str, object]:
    """The rule for a target that is hardened as text.

    The adapter's own rule applies if the target allows it: a gate that draws decisions from the security model, then
    without its plausibility floor, or for a target in this process steer. Steering over text has no security floor.
    If the adapter's rule has one, its strength is then at most 1, as a greater one was chosen with the floor.
    Otherwise the gate has its default settings, and a floor of 0. The paper's rule applies where the user names it.

    Args:
        own: Name and settings of the rule that the adapter carries; empty for none.
        given: What the user gave, possibly nothing.
        in_process: Whether the target is in this process, so that its probabilities are known.

    Returns:
        Name and settings, as ``decoding_settings`` takes them.

    Raises:
        SettingsError: If the user gave another rule, or a setting that does not work over text.
    """
    why = WHY_GATE_AND_STEER if in_process else WHY_AT_A_SERVER
    allowed = text_rules(in_process=in_process)
    gated = rule_name(own) == "gate" and own.get("decision", "security") == "security"
    steered = in_process and rule_name(own) == "steer" and own.get("against", "base") == "base"
    if steered:
        base = unamplified(own) if own.get("security_floor") else dict(own)
    else:
        base = {**(own if gated else {}), "name": "gate", "plausibility_floor": 0.0}
    chosen = changed_rule(base, given)
    if chosen["name"] not in allowed:
        named = " or ".join(f"--rule {name}" for name in allowed)
        raise SettingsError(f"The rule {chosen['name']!r} cannot be used here, as {why}. Use {named}.")
    if chosen["name"] == "threshold":
        _check_threshold(chosen)
        return chosen
    if chosen["name"] == "steer":
        if chosen.get("against", "base") != "base":
            raise SettingsError("Over text, the target is steered against the adapter's base. Use --against base.")
        if chosen.get("security_floor", 0.0):
            raise SettingsError(
                "Over text, steer has no floor for the security model's tokens. Use --security-floor 0."
            )
        return chosen
    chosen.setdefault("plausibility_floor", 0.0)
    if chosen.get("decision", "security") != "security":
        raise SettingsError(f"Decisions cannot be steered here, as {why}. Use --decision security.")
    return chosen


def _check_threshold(chosen: Mapping[str, object]) -> None:
    """Refuse settings of the paper's rule that a server cannot follow.

    Raises:
        SettingsError: If there are any.
    """
    preset = PRESETS.get(str(chosen.get("preset", "paper")), {})
    settings = {**preset, **chosen}
    if settings.get("target_ratio") != "raw" or settings.get("fallback") != "warped":
        raise SettingsError(
            "With a target at a server, target_ratio can only be raw and fallback only warped. Use --preset paper, "
            "with --security-ratio raw or warped."
        )
