"""The rules that a target allows of which only the text is known."""

from __future__ import annotations

from collections.abc import Mapping

from cosec.decoding.rules.schema import changed_rule, rule_name
from cosec.errors import SettingsError

WHY_GATE_ONLY = (
    "only the target's text is known, not its probabilities: the gate leaves the target's text as it is outside of "
    "security decisions and needs no more"
)
"""Why a target of which only the text is known allows the gate alone."""


def text_rule(own: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The gate for a target that gives text.

    The adapter's own rule applies if it is a gate that draws decisions from the security model, without its
    plausibility floor. Otherwise the gate has its default settings, and a floor of 0.

    Args:
        own: Name and settings of the rule that the adapter carries; empty for none.
        given: What the user gave, possibly nothing.

    Returns:
        Name and settings, as ``decoding_settings`` takes them.

    Raises:
        SettingsError: If the user gave another rule, or a setting that needs the target's probabilities.
    """
    fits = rule_name(own) == "gate" and own.get("decision", "security") == "security"
    chosen = changed_rule({**(own if fits else {}), "name": "gate", "plausibility_floor": 0.0}, given)
    if chosen["name"] != "gate":
        raise SettingsError(f"The rule {chosen['name']!r} cannot be used here, as {WHY_GATE_ONLY}. Use --rule gate.")
    chosen.setdefault("plausibility_floor", 0.0)
    if chosen["plausibility_floor"] != 0.0:
        raise SettingsError(f"The plausibility floor must be 0 here, as {WHY_GATE_ONLY}.")
    if chosen.get("decision", "security") != "security":
        raise SettingsError(f"Decisions cannot be steered here, as {WHY_GATE_ONLY}. Use --decision security.")
    return chosen
