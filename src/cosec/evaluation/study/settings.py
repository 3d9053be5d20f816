"""Settings of a study, as a recipe holds them, and of a frontier, whose arms are rules times strengths."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cosec.decoding.rules.schema import RULES, rule_name
from cosec.decoding.settings import Seed, Temperature, TopP
from cosec.errors import DataError, SettingsError
from cosec.evaluation.study.arms import ENDPOINT, LORA, ORIGIN, DecodingArm, parse_arm
from cosec.evaluation.tasks.tasks import Benchmark
from cosec.files import why_unreadable
from cosec.sandbox import BackendName

_SEPARATORS = "/;~:,"
"""What separates the parts of an arm, of its file names and of its lock's name."""


class StudySettings(BaseModel):
    """What a study computes. A recipe file has the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "study"
    """Title of the report."""

    target: str = "smollm2-135m"
    """An embedded name, a hub id, a folder or the URL of a server, up to /v1. ``$NAME`` stands for an environment
    variable, here and below.
    """

    security: str = "default"
    """The security model or adapter of arms that name none."""

    security_models: Mapping[str, str] = Field(default_factory=dict)
    """Other security models by the names that arms use for them: ``cosec-plus@NAME``. Arms are parts of file names, so
    these names are without / ; ~ : and commas.
    """

    # Left out of a study's identity if not set, as it is in studies recorded before this field existed.
    anti_expert: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """An adapter that was trained on vulnerable code, for arms such as ``steer:against=anti-expert``."""

    endpoint: str | None = None
    """Base URL of a served model to measure instead. The only arm is then ``endpoint``."""

    endpoint_model: str | None = None
    """Name of the model at the endpoint, or at a target's URL; the first that it lists if None."""

    arms: tuple[str, ...] = ("origin", "cosec-plus")
    """See `cosec.evaluation.study.arms`."""

    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    """Repetitions of the whole measurement, each once."""

    temperature: Temperature = 0.4
    """Divides the logits."""

    top_p: TopP = 0.95
    """Sample from the most likely tokens that together reach this probability."""

    benchmarks: tuple[Benchmark, ...] = Field(min_length=1)
    """What is completed; each has a name of its own."""

    sandbox: BackendName | None = Field(default=None, exclude=True)
    """Isolates what is run, unless ``--sandbox`` or ``COSEC_SANDBOX`` is given; not part of a study's identity."""

    @field_validator("security_models")
    @classmethod
    def _plain_names(cls, models: Mapping[str, str]) -> Mapping[str, str]:
        for name in models:
            if not name.strip() or set(name) & set(_SEPARATORS):
                raise ValueError(f"a name must not be empty nor have one of {_SEPARATORS} in it; rename {name!r}")
        return models

    @field_validator("arms")
    @classmethod
    def _known_arms(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        arms = tuple(arm.strip() for arm in arms)
        if len(set(arms)) != len(arms) or not arms:
            raise ValueError("arms must be named, each once")
        return arms

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("give each seed once")
        return seeds

    @field_validator("benchmarks")
    @classmethod
    def _distinct_names(cls, benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        if len({one.name for one in benchmarks}) != len(benchmarks):
            raise ValueError("every benchmark needs a name of its own")
        return benchmarks

    def decoding_arms(self) -> list[DecodingArm]:
        """The arms as they decode.

        Raises:
            SettingsError: If an arm is unknown, or its security model is.
        """
        if self.endpoint is not None:
            return [DecodingArm(name=ENDPOINT, alone="target")]
        arms = [parse_arm(one) for one in self.arms]
        for arm in arms:
            if arm.security is not None and arm.security not in self.security_models:
                raise SettingsError(
                    f"The arm {arm.name!r} takes a security model {arm.security!r}; give it under [security_models] in "
                    f"the recipe, which names {', '.join(self.security_models) or 'none'}."
                )
        return arms


def study_settings(values: Mapping[str, Any]) -> StudySettings:
    """Make settings of plain values.

    Raises:
        SettingsError: If a value is unknown or out of range; the message names it.
    """
    try:
        settings = StudySettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "study"
        raise SettingsError(
            f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]} (got {first['input']!r})."
        ) from error
    settings.decoding_arms()
    return settings


def read_recipe(path: Path, reader: Callable[[Mapping[str, Any]], StudySettings] = study_settings) -> StudySettings:
    """Read the settings of a study from a TOML file.

    Args:
        path: The recipe.
        reader: Makes settings of its values.

    Raises:
        DataError: If the file cannot be read.
        SettingsError: If a value is unknown or out of range; the message names file and value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return reader(_of_endpoint(values) if "endpoint" in values else values)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"Cannot read the recipe {path}: {why_unreadable(error)}.") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _of_endpoint(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe that measures a served model, with its only arm; what it says of models that run here is refused."""
    unused = [name for name in _OF_MODELS_HERE if name in values and values[name] != [ENDPOINT]]
    if unused:
        raise SettingsError(
            f"{', '.join(unused)}: without effect beside endpoint, which measures a served model as it is; leave out "
            "one or the other, or harden a server's text with its address as the target."
        )
    return {**values, "arms": [ENDPOINT]}


_OF_MODELS_HERE = ("arms", "strengths", "target", "security", "security_models", "anti_expert")
"""Entries of a recipe about models that run in this process."""


STRENGTHS = "strengths"
"""Table of a frontier's recipe: strengths by rule."""


def frontier_settings(values: Mapping[str, Any]) -> StudySettings:
    """Make settings of a frontier's recipe, which has ``[strengths]`` in place of ``arms``.

    ``[strengths]`` lists strengths by arm: ``gate = [0.1, 0.2]`` stands for the arms ``gate:strength=0.1`` and
    ``gate:strength=0.2``, and ``cosec-plus = [0.3]`` for ``cosec-plus:threshold=0.3``. The target alone and the
    security model alone are always measured.

    Args:
        values: The recipe's values.

    Raises:
        SettingsError: If the recipe has an unknown name, or no strengths.
    """
    return _with_strengths(values, (ORIGIN, LORA))


def calibration_settings(values: Mapping[str, Any]) -> StudySettings:
    """Make settings of a calibration's recipe: a frontier without the security model alone, which is no candidate.

    Args:
        values: The recipe's values, as `frontier_settings` takes them.

    Raises:
        SettingsError: If the recipe has an unknown name, or no strengths.
    """
    return _with_strengths(values, (ORIGIN,))


def _with_strengths(values: Mapping[str, Any], alone: tuple[str, ...]) -> StudySettings:
    strengths = values.get(STRENGTHS)
    if not isinstance(strengths, Mapping) or not strengths:
        raise SettingsError("A frontier needs [strengths], such as: gate = [0.05, 0.1, 0.2]")
    if "arms" in values:
        raise SettingsError("A frontier's arms follow from [strengths]; leave out arms.")
    arms = list(alone)
    for rule, chosen in strengths.items():
        setting = RULES[rule_name(parse_arm(rule).rule)].strength_setting
        if setting is None:
            raise SettingsError(f"The arm {rule!r} under [strengths] has no strength; leave it out.")
        separator = "," if ":" in rule else ":"
        if not isinstance(chosen, list) or not chosen or not all(type(one) in (int, float) for one in chosen):
            raise SettingsError(
                f"{STRENGTHS}.{rule} must be a list of numbers, such as {rule} = [0.05, 0.1, 0.2] (got {chosen!r})."
            )
        arms += [f"{rule}{separator}{setting}={strength:g}" for strength in chosen]
    rest = {name: value for name, value in values.items() if name != STRENGTHS}
    return study_settings({**rest, "arms": arms})
