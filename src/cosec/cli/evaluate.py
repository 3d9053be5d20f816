"""``cosec evaluate``: measure arms for security, function, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from pydantic import Field

from cosec.cli.study import WorkFlags, run_study
from cosec.decoding.rules.schema import RULES
from cosec.decoding.settings import Temperature, TopP
from cosec.errors import SettingsError
from cosec.models.loading.embedded import DEFAULT_TARGET

Depth = Literal["open", "decision"]
"""Where the prompts of scenarios end: before the function's body, or at the dangerous choice."""

Format = Literal["completion", "chat"]
"""How the model is asked to complete a prompt."""

Positive = Annotated[int, Field(ge=1)]
"""A whole number of at least 1."""

evaluate_app = App(name="evaluate", help="Measure arms for security, function, or both.")
"""The verb, with a command for each kind of measurement."""


class MeasureFlags(WorkFlags):
    """Flags that say what is measured."""

    arm: Sequence[str] = Field(
        default=("origin", "cosec-plus"),
        description=(
            "origin (the target alone), cue (the same, told in its prompt to write secure code), lora (the security "
            "model alone), prefix (the target after a trained prefix), the paper's arms cosec-plus, cosec, release and "
            "warped, or a rule: "
            f"{', '.join(RULES)}; with settings as in gate:strength=0.1. Repeatable."
        ),
    )

    samples: Positive | None = None
    """Completions of each task under each seed (scenarios: 10, problems: 3)."""

    seeds: Sequence[int] = (0,)
    """Seed of one repetition of the whole measurement; repeatable."""

    limit: Positive | None = None
    """Number of tasks, spread over the set; all by default."""

    shortest: Positive | None = None
    """Number of problems, those with the shortest reference solutions; all by default."""

    max_new_tokens: Positive = 200
    """Maximum length of a completion, in tokens."""

    format: Format = "completion"
    """``chat`` asks for each completion in the model's chat format. Answers repeat code, so allow more tokens."""

    temperature: Temperature = 0.4
    """Divides the logits."""

    top_p: TopP = 0.95
    """Keep the most likely tokens that together reach this probability."""

    target: str = DEFAULT_TARGET
    """The model to harden, or the URL of a server (up to /v1) that is hardened as text; see ``cosec serve``."""

    target_model: str | None = None
    """With a URL as --target: the model's name there. Default: the first one that the server lists."""

    security_model: Annotated[str, Parameter(name="--security")] = "default"
    """Its security model or adapter."""

    anti_expert: str | None = None
    """An adapter trained on vulnerable code, for the arm steer:against=anti-expert."""

    endpoint: str | None = None
    """Measure a served model at this URL (up to /v1) instead of arms here."""

    endpoint_model: str | None = None
    """The model's name at the endpoint. Default: the first one that it lists."""


_OF_MODELS_HERE = {
    "arm": "--arm",
    "target": "--target",
    "security_model": "--security",
    "anti_expert": "--anti-expert",
    "dtype": "--dtype",
    "device_map": "--device-map",
    "runtime": "--runtime",
}
"""Flags about models that run in this process, by their field."""

Flags = Annotated[MeasureFlags | None, Parameter(name="*")]
"""The flags of :class:`MeasureFlags`, as a parameter of a verb."""


@evaluate_app.command
def security(*, out: Path, scenarios: str = "own", depth: Depth | None = None, flags: Flags = None) -> None:
    """Complete scenarios and look for the weakness of each.

    Args:
        out: Folder of the records; the same command continues them.
        scenarios: ``own``, or a folder in the layout of our scenarios or of SVEN's.
        depth: Only ``open`` or only ``decision`` prompts.
        flags: What is measured.
    """
    _evaluate(out, flags, "security", samples=10, scenarios=scenarios, depth=depth, functional=False)


@evaluate_app.command
def joint(*, out: Path, scenarios: str = "own", depth: Depth | None = None, flags: Flags = None) -> None:
    """Complete scenarios, look for weaknesses and run the functional tests: is a completion secure and does it work?

    Args:
        out: Folder of the records; the same command continues them.
        scenarios: ``own``, or a folder in the layout of our scenarios or of SVEN's.
        depth: Only ``open`` or only ``decision`` prompts.
        flags: What is measured.
    """
    _evaluate(out, flags, "joint", samples=10, scenarios=scenarios, depth=depth)


@evaluate_app.command
def function(*, out: Path, problems: str = "humaneval", strip_prompts: bool = True, flags: Flags = None) -> None:
    """Solve function problems and run their tests: pass@k.

    Args:
        out: Folder of the records; the same command continues them.
        problems: ``humaneval``, ``mbpp:FILE``, ``mbpp-training:FILE``, or a JSONL file in HumanEval's format.
        strip_prompts: Whether prompts end with their last visible character or with the line break of the set.
            Qwen2.5-Coder leaves a seventh of the stripped prompts of HumanEval empty.
        flags: What is measured.
    """
    _evaluate(out, flags, "function", samples=3, problems=problems, strip_prompts=strip_prompts)


def _refuse_without_effect(flags: MeasureFlags) -> None:
    """Refuse flags that mean models of this process where a served model is measured.

    Raises:
        SettingsError: If there are any; the message names them.
    """
    if flags.endpoint is None:
        return
    if flags.target_model is not None:
        raise SettingsError("--target-model has no effect with --endpoint; name the model with --endpoint-model.")
    unused = [flag for field, flag in _OF_MODELS_HERE.items() if field in flags.model_fields_set]
    if unused:
        raise SettingsError(
            f"{' and '.join(unused)} {'has' if len(unused) == 1 else 'have'} no effect with --endpoint, which measures "
            "the served model as it is: leave out one or the other, or harden a server's text with --target URL."
        )


def _evaluate(out: Path, given: MeasureFlags | None, name: str, *, samples: int, **what: object) -> None:
    """Run a study of one benchmark."""
    from cosec.evaluation.study import study_settings
    from cosec.evaluation.study.arms import ENDPOINT

    flags = given or MeasureFlags()
    _refuse_without_effect(flags)
    benchmark = {
        "name": name,
        "samples": flags.samples if flags.samples is not None else samples,
        "max_new_tokens": flags.max_new_tokens,
        "limit": flags.limit,
        "shortest": flags.shortest,
        "format": flags.format,
        **what,
    }
    settings = study_settings(
        {
            "name": f"{name} of {flags.endpoint or flags.target}",
            **({} if flags.endpoint is not None else {"target": flags.target}),
            "security": flags.security_model,
            "anti_expert": flags.anti_expert,
            "endpoint": flags.endpoint,
            "endpoint_model": flags.endpoint_model or flags.target_model,
            "arms": (ENDPOINT,) if flags.endpoint else tuple(flags.arm),
            "seeds": tuple(flags.seeds),
            "temperature": flags.temperature,
            "top_p": flags.top_p,
            "benchmarks": (benchmark,),
        }
    )
    if flags.anti_expert is not None and not any(arm.contrast == "anti-expert" for arm in settings.decoding_arms()):
        raise SettingsError("--anti-expert has no effect here; add an arm with it: --arm steer:against=anti-expert.")
    run_study(settings, out, flags)
