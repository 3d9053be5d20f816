"""The decoding rules, one a file, each with its law in closed form; knows neither models nor lanes."""

from __future__ import annotations

from cosec.decoding.rules.gate import GateRule
from cosec.decoding.rules.speculative import SpeculativeRule
from cosec.decoding.rules.steer import SteerRule
from cosec.decoding.rules.threshold import ThresholdRule
from cosec.decoding.rules.verification import Rule
from cosec.decoding.settings import DecodingSettings, GateSettings, SpeculativeSettings, SteerSettings


def rule_for(settings: DecodingSettings) -> Rule:
    """The rule that the settings describe."""
    match settings.rule:
        case GateSettings():
            return GateRule(settings.rule, settings.sampling)
        case SteerSettings():
            return SteerRule(settings.rule, settings.sampling)
        case SpeculativeSettings():
            return SpeculativeRule(settings.sampling)
        case _:
            return ThresholdRule(settings.rule, settings.sampling)
