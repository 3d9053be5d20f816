from __future__ import annotations

import pytest

from cosec.decoding.rule_choice import RuleChoice, in_users_words, in_words
from cosec.decoding.settings import RULES, GateSettings, RuleSettings, SpeculativeSettings, decoding_settings


def test_every_setting_of_every_rule_can_be_chosen() -> None:
    words = {"threshold": "acceptance_threshold", "rule": "name"}
    chosen = {words.get(name, name) for name in RuleChoice.model_fields}
    assert chosen == {name for rule in RULES.values() for name in rule.model_fields}


def test_only_what_was_given_is_said() -> None:
    assert RuleChoice().settings() == {}
    assert RuleChoice(rule="steer", strength=1.5).settings() == {"name": "steer", "strength": 1.5}
    assert RuleChoice(threshold=0.2).settings() == {"acceptance_threshold": 0.2}


@pytest.mark.parametrize("rule", [RuleSettings(acceptance_threshold=0.7), GateSettings(divergence="js")])
def test_a_rule_in_its_users_words_is_the_same_rule(rule: RuleSettings | GateSettings) -> None:
    assert decoding_settings(RuleChoice.model_validate(in_users_words(rule)).settings(), {}).rule == rule


def test_a_rule_in_words_says_what_is_set() -> None:
    assert in_words(SpeculativeSettings()) == "rule speculative"
    words = "rule gate, strength 0.2, divergence kl, decision security, plausibility_floor 0.02"
    assert in_words(GateSettings(strength=0.2)) == words
