from types import SimpleNamespace
from typing import Any

import pytest

from cosec.decoding.rules.schema import GateSettings, SteerSettings, ThresholdSettings
from cosec.decoding.sampling.randomness import sequence_key
from cosec.errors import SettingsError
from cosec.vllm_plugin import PluginSettings
from cosec.vllm_plugin.requests import random_key, request_settings

SERVER = PluginSettings(rule={"name": "gate", "strength": 0.2}, base="folder")


def params(**changed: Any) -> Any:
    plain = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "seed": None, "logprobs": None}
    return SimpleNamespace(**{**plain, "extra_args": None, **changed})


def test_a_request_without_arguments_gets_the_servers_rule() -> None:
    assert request_settings(params(), SERVER).rule == GateSettings(strength=0.2)
    assert request_settings(params(extra_args={"other": 1}), SERVER).rule == GateSettings(strength=0.2)


def test_a_request_changes_one_setting_or_the_rule() -> None:
    changed = request_settings(params(extra_args={"cosec_strength": 0.5}), SERVER).rule
    assert changed == GateSettings(strength=0.5)
    named = request_settings(params(extra_args={"cosec_rule": "threshold", "cosec_threshold": 1}), SERVER).rule
    assert named == ThresholdSettings(threshold=1.0)
    assert request_settings(params(extra_args={"cosec_rule": "steer"}), SERVER).rule == SteerSettings()


def test_sampling_is_the_requests_own() -> None:
    chosen = request_settings(params(temperature=0.0, top_p=0.5, top_k=-1, min_p=0.1), SERVER).sampling
    assert (chosen.temperature, chosen.top_p, chosen.top_k, chosen.min_p) == (0.0, 0.5, 0, 0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cosec_rule": "gates"}, "no rule 'gates'"),
        ({"cosec_rule": 3}, "no rule 3"),
        ({"cosec_rule": ["gate"]}, r"no rule \['gate'\]"),
        ({"cosec_name": "gate"}, "Unknown argument 'cosec_name'"),
        ({"cosec_threshold": [0.3]}, "threshold"),
        ({"cosec_threshold": float("inf")}, "threshold"),
        ({"cosec_threshold": float("nan")}, "threshold"),
        ({"cosec_thresold": 0.3}, "cosec_thresold"),
        ({"cosec_threshold": "0.3"}, "threshold"),
        ({"cosec_threshold": -1}, "threshold"),
        ({"cosec_rule": "threshold", "cosec_strength": 0.3}, "no strength"),
        ({"cosec_rule": "steer", "cosec_against": "anti-expert"}, "anti-expert"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        request_settings(params(extra_args=arguments), SERVER)


def test_a_rule_that_needs_a_base_is_refused_where_there_is_none() -> None:
    with pytest.raises(SettingsError, match="base"):
        request_settings(params(extra_args={"cosec_rule": "gate"}), PluginSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1.0),
        ("repetition_penalty", 1.1),
        ("min_tokens", 4),
        ("logit_bias", {3: 1.0}),
        ("bad_words", ["eval"]),
        ("allowed_token_ids", [1, 2]),
        ("structured_outputs", object()),
        ("logprobs", -1),
    ],
)
def test_parameters_that_change_the_target_alone_are_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        request_settings(params(**{name: value}), SERVER)


def test_a_seed_gives_the_random_numbers_of_our_own_engine() -> None:
    assert random_key(params(seed=7), [1, 2], "id", 0) == sequence_key(7, [1, 2], 0)


def test_requests_without_a_seed_differ_by_their_id_and_the_engines_seed() -> None:
    keys = {random_key(params(), [1, 2], name, seed) for name in ("a", "b") for seed in (0, 1)}
    assert len(keys) == 4
    assert random_key(params(), [1, 2], "a", 0) in keys
