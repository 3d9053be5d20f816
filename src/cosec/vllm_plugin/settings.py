"""What a server tells the plugin, and the vLLM options that turn the plugin on.

vLLM hands ``additional_config`` to its API, engine and worker processes, on every node. The plugin's settings are its
entry ``cosec``; where that entry is missing, vLLM works as if the plugin were not installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cosec.decoding.rules.schema import RULES, rule_name
from cosec.decoding.settings import decoding_settings
from cosec.errors import CosecError, SettingsError

VLLM_VERSION = "0.32.0"
"""The only version of vLLM that the plugin runs with: it replaces private parts of it."""

REQUEST_PREFIX = "cosec_"
"""Starts the names of a request's rule settings in ``extra_args``, such as ``cosec_rule`` and ``cosec_threshold``."""

CONFIG_KEY = "cosec"
"""The entry of vLLM's ``additional_config`` that holds the plugin's settings."""

SCHEDULER = "cosec.vllm_plugin.engine.scheduler.DraftedScheduler"
"""The scheduler that lets no token be sampled without a draft; named to vLLM by ``scheduler_cls``."""

WORKER_EXTENSION = "cosec.vllm_plugin.engine.worker.WorkerExtension"
"""Installs the plugin in every worker process; named to vLLM by ``worker_extension_cls``."""


class PluginSettings(BaseModel):
    """The settings of a server that runs our rules inside vLLM."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rule: dict[str, Any] = {}
    """Name and settings of the rule of requests that name none; empty for the paper's."""

    base: str | None = None
    """Folder of the security model's own base, for rules that need it: ``gate`` and ``steer``. ``target`` if the target
    itself is that base. None refuses these rules.
    """

    shared_vocabulary: Annotated[int, Field(ge=1)] | None = None
    """Number of token ids that both models share, if their vocabularies are padded differently; None for all."""

    untested_runner: bool = False
    """Allow vLLM's V2 model runner, in which the plugin has not been run."""

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        try:
            decoding_settings(self.rule, {})
        except CosecError as error:
            raise ValueError(str(error)) from error
        name = rule_name(self.rule)
        if RULES[name].needs_base and self.base is None:
            raise ValueError(f"the rule {name!r} needs the security model's base; name its folder as base")
        return self

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> PluginSettings:
        """Settings from plain values, such as vLLM's configuration holds.

        Raises:
            SettingsError: If an entry is unknown or out of range.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise SettingsError(f"Settings of the vLLM plugin: {place}: {first['msg']}".replace(": :", ":")) from error


def engine_options(security: str, draft_length: int, settings: PluginSettings) -> dict[str, Any]:
    """The options of ``vllm.LLM`` and ``AsyncEngineArgs`` that turn the plugin on.

    Args:
        security: Folder of the security model, with its adapter merged in.
        draft_length: Number of tokens that the security model drafts before one verification.
        settings: The plugin's settings.
    """
    return {
        "speculative_config": {
            "model": security,
            "method": "draft_model",
            "num_speculative_tokens": draft_length,
            "draft_sample_method": "probabilistic",
        },
        "scheduler_cls": SCHEDULER,
        "worker_extension_cls": WORKER_EXTENSION,
        "async_scheduling": False,
        "additional_config": {CONFIG_KEY: settings.model_dump(mode="json")},
    }


def command_line(options: Mapping[str, Any]) -> list[str]:
    """The same options as flags of vLLM's server: ``--scheduler-cls`` and so on, dictionaries as JSON."""
    flags: list[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [f"--{flag}", value if isinstance(value, str) else json.dumps(value)]
    return flags
