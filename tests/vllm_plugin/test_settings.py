import json

import pytest

from cosec.errors import SettingsError
from cosec.vllm_plugin import PluginSettings, command_line, engine_options


def test_the_default_rule_is_the_papers() -> None:
    assert PluginSettings().rule == {}


def test_a_rule_that_needs_a_base_is_refused_without_one() -> None:
    with pytest.raises(SettingsError, match="needs the security model's base"):
        PluginSettings.read({"rule": {"name": "gate", "strength": 0.1}})
    PluginSettings.read({"rule": {"name": "gate", "strength": 0.1}, "base": "target"})


def test_a_wrong_setting_of_the_rule_is_named() -> None:
    with pytest.raises(SettingsError, match="no strength"):
        PluginSettings.read({"rule": {"name": "threshold", "strength": 0.1}})


def test_an_unknown_entry_is_refused() -> None:
    with pytest.raises(SettingsError, match="rules"):
        PluginSettings.read({"rules": {}})


def test_the_options_ask_for_draft_probabilities_and_carry_the_settings() -> None:
    options = engine_options("folder", 4, PluginSettings(rule={"threshold": 0.5}))
    assert options["speculative_config"]["draft_sample_method"] == "probabilistic"
    assert PluginSettings.read(options["additional_config"]["cosec"]).rule == {"threshold": 0.5}
    assert options["async_scheduling"] is False


def test_the_command_line_says_the_same_as_the_options() -> None:
    options = engine_options("folder", 4, PluginSettings(base="target"))
    flags = command_line(options)
    assert "--no-async-scheduling" in flags
    assert json.loads(flags[flags.index("--speculative-config") + 1]) == options["speculative_config"]
    assert json.loads(flags[flags.index("--additional-config") + 1]) == options["additional_config"]
    assert flags[flags.index("--scheduler-cls") + 1] == options["scheduler_cls"]
