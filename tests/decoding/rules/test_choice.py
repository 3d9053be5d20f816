from __future__ import annotations

import pytest

from cosec.decoding.rules.choice import RuleChoice, as_choice, described_rule
from cosec.decoding.rules.schema import RULES, GateSettings, RuleSettings, SpeculativeSettings, ThresholdSettings
from cosec.decoding.settings import decoding_settings


def test_every_setting_of_every_rule_can_be_chosen() -> None:
    assert set(RuleChoice.model_fields) == {"rule", *(name for rule in RULES.values() for name in rule.settings())}


@pytest.mark.parametrize("rule", RULES)
def test_the_help_of_a_setting_names_each_rule_that_has_it_and_its_default(rule: str) -> None:
    assert f"{rule}: " in (RuleChoice.model_fields["rule"].description or "")
    for setting in RULES[rule].settings():
        described = RuleChoice.model_fields[setting].description or ""
        assert f"{rule}: " in described
        default = RULES[rule].model_fields[setting].default
        assert default is None or f"(default {default})" in described


def test_only_what_was_given_is_passed_on() -> None:
    assert RuleChoice().settings() == {}
    assert RuleChoice(rule="steer", strength=1.5).settings() == {"name": "steer", "strength": 1.5}
    assert RuleChoice(threshold=0.2).settings() == {"threshold": 0.2}


@pytest.mark.parametrize("rule", [ThresholdSettings(threshold=0.7), GateSettings(divergence="js")])
def test_a_rule_written_as_a_choice_is_the_same_rule(rule: RuleSettings) -> None:
    assert decoding_settings(RuleChoice.model_validate(as_choice(rule)).settings(), {}).rule == rule


def test_a_described_rule_lists_its_settings() -> None:
    assert described_rule(SpeculativeSettings()) == "rule speculative"
    words = "rule gate, strength 0.2, divergence kl, decision security, plausibility_floor 0.02"
    assert described_rule(GateSettings(strength=0.2)) == words
