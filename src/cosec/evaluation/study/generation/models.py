"""The models of a study: the target with each security model that some arm takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.errors import SettingsError, VocabularyMismatch
from cosec.evaluation.study.generation.endpoint import EndpointGenerator
from cosec.evaluation.study.generation.model_hashes import anti_expert_hash, pair_hashes, security_hashes
from cosec.evaluation.tasks.chat_prompts import refuse_chats_without_template
from cosec.evaluation.tasks.tasks import expand

if TYPE_CHECKING:
    from cosec.decoding.engine.lanes import Lanes
    from cosec.decoding.pairing import PreparedPair
    from cosec.decoding.prompt_cache import PromptCache
    from cosec.decoding.runtime_choice import RuntimeName
    from cosec.evaluation.study.arms import DecodingArm
    from cosec.evaluation.study.generation.generator import Generator, LocalGenerator
    from cosec.evaluation.study.settings import StudySettings


class CompletionSource(Protocol):
    """What completes the tasks of a study's arms."""

    hashes: Mapping[str, str]
    """Identifies what completes: hashes of the study's own models, or the address of an endpoint."""

    named_hashes: Mapping[str, str]
    """Hashes of the security models that arms call by name."""

    def generator(self, arm: DecodingArm) -> Generator:
        """The generator of an arm's completions."""
        ...


def completion_source(
    settings: StudySettings,
    *,
    rows: int,
    dtype: str = "auto",
    device_map: str | None = None,
    runtime: RuntimeName = "torch",
    recorded: RuntimeName | None = None,
    target_key_file: Path | None = None,
) -> CompletionSource:
    """Prepare what completes a study's tasks: its endpoint, its target server, or its models, loaded here.

    Models whose tokens differ are hardened as text.

    Args:
        settings: What the study computes.
        rows: Completions decoded at once.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.
        runtime: As for ``load_pair``.
        recorded: The runtime of the study that is continued, which ``auto`` keeps; None for a new study.
        target_key_file: File with the key of a target at a URL; None for none.

    Raises:
        CosecError: If a model cannot be loaded, an arm's rule does not suit its security model, a benchmark is a chat
            and its model has no chat template, or something is given for a server that is not measured.
    """
    if settings.endpoint is not None:
        if target_key_file is not None:
            raise SettingsError(f"--target-key-file is for a target at a URL; an endpoint's key is in {KEY_VARIABLE}.")
        return EndpointSource(settings.endpoint, settings.endpoint_model)
    target = expand(settings.target)
    from cosec.evaluation.study.generation.text_target import TargetHere, TargetServer, TextTargetSource

    if is_url(target):
        if runtime == "llama.cpp":
            raise SettingsError(
                "--runtime llama.cpp has no effect with a URL as the target, beside which the security model runs in"
                " torch; leave it out."
            )
        server = TargetServer(target, settings.endpoint_model, target_key_file)
        return TextTargetSource(settings, server, rows=rows, dtype=dtype, device_map=device_map)
    if target_key_file is not None:
        raise SettingsError("--target-key-file has an effect only with a URL as the target.")
    if settings.endpoint_model is not None:
        raise SettingsError(
            f"endpoint_model (--target-model) names a model at a server, here {settings.endpoint_model!r}; give the "
            "server's URL as the target or endpoint, or leave the name out."
        )
    kept = recorded if runtime == "auto" and recorded is not None else runtime
    try:
        return StudyModels(settings, dtype=dtype, device_map=device_map, rows=rows, runtime=kept)
    except VocabularyMismatch:
        here = TargetHere(target, dtype=dtype, device_map=device_map, runtime=runtime)
        return TextTargetSource(settings, here, rows=rows, dtype=dtype, device_map=device_map)


KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable with the key of an endpoint, as OpenAI's own client names it."""


class EndpointSource:
    """A served model, whose only arm is ``endpoint``."""

    def __init__(self, url: str, model: str | None) -> None:
        """Keep the address; nothing is asked yet."""
        self._url, self._model = url, model
        self.hashes: Mapping[str, str] = {"endpoint": url}
        """The address stands for the model behind it, which cannot be hashed."""
        self.named_hashes: Mapping[str, str] = {}
        """Empty: an endpoint has no named security models."""

    def generator(self, arm: DecodingArm) -> EndpointGenerator:
        """A generator that asks the endpoint."""
        return EndpointGenerator(self._url, model=self._model, key=os.environ.get(KEY_VARIABLE, "none"))


class StudyModels:
    """Every pair a study needs, each loaded whole, so that no pair's adapter is in another's weights."""

    def __init__(
        self, settings: StudySettings, *, dtype: str, device_map: str | None, rows: int, runtime: RuntimeName = "torch"
    ) -> None:
        """Load the study's own pair, and one for each security model that arms call by name.

        Args:
            settings: What the study computes.
            dtype: As for ``load_pair``.
            device_map: As for ``load_pair``.
            rows: Completions decoded at once.
            runtime: As for ``load_pair``; ``auto`` is torch for all arms if it is for one.

        Raises:
            DataError: If a name stands for an environment variable that is not set.
            ModelError: If a model cannot be found, read or trusted.
            SettingsError: If an arm's rule does not suit its security model, or a benchmark is a chat and the target
                has no chat template; names the arm or the benchmark.
        """
        from cosec.decoding.hardening import load_pair
        from cosec.decoding.prompt_cache import DEFAULT_MEMORY, PromptCache
        from cosec.decoding.runtime_choice import choose_runtime

        arms = settings.decoding_arms()
        called = dict.fromkeys(arm.security for arm in arms if arm.security is not None)
        needs_security = any(arm.alone != "target" and arm.security is None for arm in arms)
        own = expand(settings.security) if needs_security else "none"
        target = expand(settings.target)
        self._rows = rows
        self._pairs: dict[str | None, tuple[PreparedPair, PromptCache[Lanes]]] = {}
        wanted = [(None, own), *((name, expand(settings.security_models[name])) for name in called)]
        opposed = {arm.security for arm in arms if arm.contrast == "anti-expert"}
        anti = None if settings.anti_expert is None else expand(settings.anti_expert)
        each: list[tuple[str | None, str, dict[str, Any]]] = [
            (
                name,
                security,
                {"anti_expert": anti if name in opposed else None, "dtype": dtype, "device_map": device_map},
            )
            for name, security in wanted
        ]
        if runtime == "auto":  # a study belongs to one runtime
            choices = [choose_runtime(target, security, rows=rows, **load) for _, security, load in each]
            runtime = "torch" if any(one.name == "torch" for one in choices) else "llama.cpp"
        for name, security, load in each:
            pair = load_pair(target, security, runtime=runtime, **load)
            self._pairs[name] = pair, PromptCache.for_study(pair, DEFAULT_MEMORY // len(wanted))
        own_pair, _ = self._pairs[None]
        self.hashes: Mapping[str, str] = pair_hashes(own_pair.pair)
        """Hashes of the study's own pair, and its runtime and type if these are not torch and float32."""
        self.named_hashes: Mapping[str, str] = {
            name: "+".join(security_hashes(pair.pair).values()) for name, (pair, _) in self._pairs.items() if name
        } | anti_expert_hash([pair.pair for pair, _ in self._pairs.values()])
        """Hashes of the security models that arms call by name, and of the anti-expert if an arm takes it."""
        # Nothing is generated for a study that could not be finished.
        refuse_chats_without_template(settings.benchmarks, own_pair.tokenizer, "the target")
        for arm in arms:
            self._check(arm)

    def _check(self, arm: DecodingArm) -> None:
        from cosec.decoding.batch import batch_setup
        from cosec.decoding.settings import SamplingSettings

        pair = self._pairs[arm.security][0]
        if arm.needs_prefix and getattr(pair.pair.security, "prefix", None) is None:
            raise SettingsError(
                f"The arm {arm.name!r} needs a prefix as its security model: train one with cosec tune --method prefix."
            )
        try:
            batch_setup(pair, arm.settings(SamplingSettings()), arm.alone)
        except SettingsError as error:
            raise SettingsError(f"The arm {arm.name!r}: {error}") from error

    def generator(self, arm: DecodingArm) -> LocalGenerator:
        """A generator that decodes with the arm's pair of models."""
        from cosec.evaluation.study.generation.generator import LocalGenerator

        pair, cache = self._pairs[arm.security]
        return LocalGenerator(pair, arm, rows=self._rows, cache=cache)
