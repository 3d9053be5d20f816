from __future__ import annotations

import pytest
from pydantic import ValidationError

from cosec.decoding.rules.schema import PRESETS, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.errors import SettingsError
from tests.decoding import law


@pytest.mark.parametrize("preset", sorted(law.PRESETS))
def test_presets_expand_as_the_method_says(preset: str) -> None:
    rule = ThresholdSettings(preset=preset)
    assert (rule.target_ratio, rule.security_ratio, rule.fallback) == law.PRESETS[preset]
    assert rule.preset == preset
    assert set(PRESETS) == set(law.PRESETS)


def test_the_defaults_are_the_papers() -> None:
    rule = DecodingSettings().rule
    assert rule == ThresholdSettings(preset="paper")
    assert rule.threshold == 0.3
    assert (DecodingSettings().sampling.temperature, DecodingSettings().sampling.top_p) == (0.4, 0.95)


def test_a_given_setting_wins_over_its_preset_and_is_recorded() -> None:
    rule = ThresholdSettings(preset="release", fallback="warped")
    assert (rule.preset, rule.fallback, rule.target_ratio) == ("release", "warped", "raw")
    recorded = DecodingSettings(rule=rule).model_dump()["rule"]
    assert recorded == {
        "name": "threshold",
        "preset": "release",
        "threshold": 0.3,
        "target_ratio": "raw",
        "security_ratio": "raw",
        "fallback": "warped",
    }


def test_recorded_settings_give_the_same_settings_back() -> None:
    settings = decoding_settings(
        {"preset": "cosec", "fallback": "warped"}, {"stop": ["\n\n"], "draft_length": "auto", "top_logprobs": 3}
    )
    assert DecodingSettings.model_validate(settings.model_dump()) == settings
    assert DecodingSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("rule", "sampling", "name"),
    [
        ({}, {"top_k": -1}, "top_k"),
        ({"threshold": -0.1}, {}, "threshold"),
        ({"threshold": float("nan")}, {}, "threshold"),
        ({"threshold": float("inf")}, {}, "threshold"),
        ({"preset": "papper"}, {}, "preset"),
        ({"preset": ["paper"]}, {}, "preset"),
        ({"fallback": "residual"}, {}, "fallback"),
        ({}, {"temperature": -1}, "temperature"),
        ({}, {"temperature": float("nan")}, "temperature"),
        ({}, {"temperature": 1e9}, "temperature"),
        ({}, {"top_p": 0}, "top_p"),
        ({}, {"top_p": 1.01}, "top_p"),
        ({}, {"top_p": float("nan")}, "top_p"),
        ({}, {"max_new_tokens": 0}, "max_new_tokens"),
        ({}, {"draft_length": 0}, "draft_length"),
        ({}, {"draft_length": 65}, "draft_length"),
        ({}, {"draft_length": "fast"}, "draft_length"),
        ({}, {"draft_length": 2.5}, "draft_length"),
        ({}, {"seed": -1}, "seed"),
        ({}, {"seed": 2**63}, "seed"),
        ({}, {"stop": ["ok", ""]}, "stop"),
        ({}, {"stop": "text"}, "stop"),
        ({}, {"top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused_by_name(
    rule: dict[str, object], sampling: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        decoding_settings(rule, sampling)
    message = str(caught.value)
    assert message.split(":")[0].endswith(name)
    assert repr({**rule, **sampling}[name]) in message or name == "stop"
    assert "\n" not in message


def test_a_draft_length_may_come_as_text_from_a_command_line() -> None:
    assert decoding_settings({}, {"draft_length": "3"}).sampling.draft_length == 3
    assert decoding_settings({}, {"draft_length": "auto"}).sampling.draft_length == "auto"


def test_settings_cannot_be_changed_after_they_were_made() -> None:
    for settings in (ThresholdSettings(), SamplingSettings()):
        with pytest.raises(ValidationError, match="frozen"):
            settings.preset = "release"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"treshold": 0.3}, r"'treshold' of the rule 'threshold'.*Did you mean threshold"),
        (
            {"name": "steer", "preset": "paper"},
            r"'steer' has no preset \(it has strength, against, security_floor\); preset belongs to threshold",
        ),
        ({"name": "gate", "threshold": 0.3}, r"'gate' has no threshold .*belongs to threshold"),
        ({"strength": 2}, r"'threshold' has no strength .*strength belongs to steer and gate"),
        ({"name": "speculative", "strength": 2}, r"'speculative' has no strength \(it has no settings\)"),
        ({"name": "gates"}, r"no rule 'gates'; choose one of threshold, steer, gate, speculative"),
        ({"name": "gate", "steering_strength": 2}, r"^steering_strength has no effect without decision steered\.$"),
        ({"name": "gate", "divergence": "tv"}, r"divergence: .*'kl', 'js' or 'argmax'"),
        ({"name": "steer", "strength": -1}, r"strength: .*greater than or equal to 0"),
    ],
)
def test_a_setting_that_the_rule_does_not_use_is_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        decoding_settings(rule, {})


@pytest.mark.parametrize("name", ["steer", "gate", "speculative"])
def test_every_rules_settings_are_recorded_and_read_back(name: str) -> None:
    settings = decoding_settings({"name": name}, {})
    assert settings.rule.name == name
    assert DecodingSettings.model_validate_json(settings.model_dump_json()) == settings
