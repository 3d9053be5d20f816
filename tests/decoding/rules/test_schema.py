from __future__ import annotations

import json

import pytest

from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import (
    RULES,
    SteerSettings,
    ThresholdSettings,
    changed_rule,
    current_names,
    rule_schemas,
    rules_without_base,
)
from cosec.decoding.rules.verification import Rule
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import CosecWarning, SettingsError


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_law_that_agrees_with_its_settings(name: str) -> None:
    settings = decoding_settings({"name": name}, {})
    rule = rule_for(settings)
    assert isinstance(rule, Rule)
    assert rule.needs_base == settings.rule.needs_base


@pytest.mark.parametrize("name", RULES)
def test_a_rules_strength_is_one_of_its_settings(name: str) -> None:
    kind = RULES[name]
    assert kind.strength_setting is None or kind.strength_setting in kind.settings()
    for one, others in kind.replaces.items():
        assert {one, *others} <= set(kind.settings())


def test_the_published_schema_has_types_ranges_defaults_and_help() -> None:
    schemas = json.loads(json.dumps(rule_schemas()))
    assert list(schemas) == list(RULES)
    steer = schemas["steer"]
    assert steer["needs_adapter"]
    assert steer["strength"] == "strength"
    found = steer["settings"]["strength"]
    assert (found["type"], found["minimum"], found["maximum"], found["default"]) == ("number", 0.0, 100.0, 2.0)
    assert schemas["gate"]["settings"]["divergence"]["enum"] == ["kl", "js", "argmax"]
    assert schemas["speculative"]["settings"] == {}
    for schema in schemas.values():
        assert schema["help"]
        assert all(one["description"] for one in schema["settings"].values())


def test_a_security_floor_keeps_the_target_in_the_law() -> None:
    assert SteerSettings(strength=1.0).cancels_base
    assert not SteerSettings(strength=1.0, security_floor=0.1).cancels_base
    assert not SteerSettings(strength=1.5).cancels_base


def test_the_rules_for_whole_models_are_named() -> None:
    assert rules_without_base() == "threshold or speculative"


STEER = {"name": "steer", "strength": 3.0}
PAPERS: dict[str, object] = {}


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        (STEER, {}, STEER),
        (STEER, {"strength": 1.0}, {"name": "steer", "strength": 1.0}),
        (STEER, {"name": "steer"}, STEER),
        (STEER, {"name": "gate"}, {"name": "gate"}),
        (STEER, {"threshold": 0.7}, {"name": "threshold", "threshold": 0.7}),
        (STEER, {"plausibility_floor": 0.1}, {"name": "gate", "plausibility_floor": 0.1}),
        (
            {"name": "gate", "strength": 0.2},
            {"divergence": "js"},
            {"name": "gate", "strength": 0.2, "divergence": "js"},
        ),
        (PAPERS, {"threshold": 0.7}, {"name": "threshold", "threshold": 0.7}),
        (PAPERS, {"strength": 3.0}, {"name": "threshold", "strength": 3.0}),  # steer or gate: it is refused later
        (PAPERS, {"divergence": "js"}, {"name": "gate", "divergence": "js"}),
        (STEER, {"factor": 3.0}, {**STEER, "factor": 3.0}),  # unknown: it is refused later
    ],
)
def test_settings_change_the_base_rule_or_select_the_only_rule_that_has_them(
    base: dict[str, object], given: dict[str, object], expected: dict[str, object]
) -> None:
    assert changed_rule(base, given) == expected


def test_another_preset_replaces_what_the_base_had_of_the_old_one() -> None:
    base = {"preset": "release", "fallback": "warped", "threshold": 0.7}
    changed = changed_rule(base, {"preset": "warped"})
    assert changed == {"name": "threshold", "threshold": 0.7, "preset": "warped"}
    assert decoding_settings(changed, {}).rule == ThresholdSettings(preset="warped", threshold=0.7)


OLD = {"name": "cosec", "preset": "release", "acceptance_threshold": 0.4}
CURRENT = ThresholdSettings(preset="release", threshold=0.4)


def test_old_names_are_accepted_with_a_note_on_each() -> None:
    current, notes = current_names(OLD)
    assert current == {"name": "threshold", "preset": "release", "threshold": 0.4}
    assert ["'cosec'" in notes[0], "'acceptance_threshold'" in notes[1], len(notes)] == [True, True, 2]
    with pytest.warns(CosecWarning, match="now called 'threshold'"):
        assert decoding_settings(OLD, {}).rule == CURRENT
    with pytest.warns(CosecWarning, match="now called 'threshold'"):
        assert changed_rule({}, {"name": "cosec", "threshold": 0.2}) == {"name": "threshold", "threshold": 0.2}


def test_settings_that_an_earlier_release_recorded_are_read() -> None:
    recorded = json.dumps({"rule": {**OLD, "target_ratio": "raw", "security_ratio": "raw", "fallback": "raw"}})
    assert DecodingSettings.model_validate_json(recorded).rule == CURRENT


@pytest.mark.parametrize("value", [True, "3"])
def test_a_setting_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match="strength"):
        decoding_settings({"name": "steer", "strength": value}, {})
    assert decoding_settings({"name": "steer", "strength": 3}, {}).rule.strength == 3.0  # type: ignore[union-attr]
