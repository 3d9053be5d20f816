"""``cosec evaluate``, ``cosec study`` and ``cosec report``: measure arms, compare them, write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from pydantic import BaseModel, ConfigDict

from cosec.errors import SettingsError
from cosec.sandbox import BackendName

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.evaluation.report import Results
    from cosec.evaluation.study import DecodingArm, Generator, Step, StudyFolder, StudySettings

Depth = Literal["open", "decision"]

evaluate_app = App(name="evaluate", help="Measure arms for security, function, or both.")

Many = Parameter(negative=())


class WorkFlags(BaseModel):
    """How it is computed, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    batch_rows: int = 48
    """Completions decoded at once; changes the speed and never the text."""

    dtype: str = "auto"
    """The models': auto (float32 on a processor, else the checkpoint's), float32, bfloat16 or float16."""

    device_map: str | None = None
    """Passed to transformers, for example ``auto`` or ``cuda``."""

    generate_only: Annotated[bool, Parameter(negative=())] = False
    """Leave the judging to a later run of the same command, perhaps on another machine."""

    rejudge: Annotated[bool, Parameter(negative=())] = False
    """Judge again what other checkers or tests judged; the earlier verdicts are kept."""

    sandbox: BackendName | None = None
    """What isolates the programs that are run: bubblewrap (the default), or resource limits alone, which let a program
    read and write all that you can.
    """


class MeasureFlags(WorkFlags):
    """What is measured, as flags."""

    arm: Annotated[Sequence[str], Many] = ("origin", "cosec-plus")
    """origin, lora (the security model alone), cosec-plus, cosec, release, warped, steer, gate, speculative; settings
    as in gate:strength=0.1. Repeatable.
    """

    samples: int | None = None
    """Completions of each task under each seed (scenarios: 10, problems: 3)."""

    seeds: Annotated[Sequence[int], Many] = (0,)
    """Repetitions of the whole measurement; repeatable."""

    limit: int | None = None
    """Only so many tasks, spread over the set."""

    shortest: int | None = None
    """Only so many problems, those with the shortest reference solutions."""

    max_new_tokens: int = 200
    """Length limit of a completion."""

    temperature: float = 0.4
    """Divides the logits."""

    top_p: float = 0.95
    """Keep the most likely tokens that together reach this probability."""

    target: str = "smollm2-135m"
    """The model to harden."""

    security_model: Annotated[str, Parameter(name="--security")] = "default"
    """Its security model or adapter."""

    endpoint: str | None = None
    """Measure a served model at this URL (up to /v1) instead of arms here."""

    endpoint_model: str | None = None
    """The model's name at the endpoint; the first it lists."""


Flags = Annotated[MeasureFlags | None, Parameter(name="*")]
Work = Annotated[WorkFlags | None, Parameter(name="*")]


@evaluate_app.command
def security(*, out: Path, scenarios: str = "own", depth: Depth | None = None, flags: Flags = None) -> None:
    """Complete scenarios and look for the weakness each is about.

    Args:
        out: Folder of the records; the same command continues what is there.
        scenarios: ``own``, or a folder in our layout or in SVEN's.
        depth: Only ``open`` or only ``decision`` prompts.
        flags: What is measured.
    """
    _evaluate(out, flags, "security", samples=10, scenarios=scenarios, depth=depth, functional=False)


@evaluate_app.command
def joint(*, out: Path, scenarios: str = "own", depth: Depth | None = None, flags: Flags = None) -> None:
    """Complete scenarios, look for weaknesses and run the functional tests: is a completion secure and does it work?

    Args:
        out: Folder of the records; the same command continues what is there.
        scenarios: ``own``, or a folder in our layout or in SVEN's.
        depth: Only ``open`` or only ``decision`` prompts.
        flags: What is measured.
    """
    _evaluate(out, flags, "joint", samples=10, scenarios=scenarios, depth=depth)


@evaluate_app.command
def function(*, out: Path, problems: str = "humaneval", flags: Flags = None) -> None:
    """Solve function problems and run their tests: pass@k.

    Args:
        out: Folder of the records; the same command continues what is there.
        problems: ``humaneval``, ``mbpp:FILE``, or a JSONL file in HumanEval's format.
        flags: What is measured.
    """
    _evaluate(out, flags, "function", samples=3, problems=problems)


def study(recipe: Path, /, *, out: Path, work: Work = None) -> None:
    """Run a whole comparison from a recipe, or continue it.

    Args:
        recipe: A TOML file with arms, seeds and benchmarks.
        out: Folder of the records; several processes may work on one folder.
        work: How it is computed.
    """
    from cosec.evaluation.study import read_recipe

    _run(read_recipe(recipe), out, work)


def frontier(recipe: Path, /, *, out: Path, work: Work = None) -> None:
    """Measure rules at many strengths and draw security against function.

    Args:
        recipe: A TOML file as for ``cosec study``, with [strengths] in place of arms.
        out: Folder of the records; the same command continues what is there.
        work: How it is computed.
    """
    from cosec.evaluation.report import write_frontier
    from cosec.evaluation.study import StudyFolder, frontier_settings, read_recipe

    results = _run(read_recipe(recipe, frontier_settings), out, work)
    if results is not None:
        write_frontier(StudyFolder(out), results)


def calibrate(recipe: Path, /, *, out: Path, budget: float = 1.0, work: Work = None) -> None:
    """Choose a rule and its strength on validation scenarios, within a budget of function; write it as a recipe.

    Args:
        recipe: As for ``cosec frontier``; its scenarios should be the validation split.
        out: Folder of the records, of ``frontier.csv`` (the curve) and of ``rule.toml``, for cosec generate --recipe.
        budget: Points of pass@1 that the choice may cost against origin, as measured.
        work: How it is computed.
    """
    from rich.console import Console

    from cosec.decoding.rules.rule_file import RULE_FILE
    from cosec.evaluation.report import choose, rule_toml, write_frontier
    from cosec.evaluation.study import StudyFolder, frontier_settings, read_recipe, write_whole

    settings = read_recipe(recipe, frontier_settings)
    judged = [one.name for one in settings.benchmarks if one.scenarios is not None]
    if len(judged) != 1:
        raise SettingsError(
            f"A rule is chosen on one benchmark of scenarios; {recipe} has {', '.join(judged) or 'none'}."
        )
    results = _run(settings, out, work)
    if results is None:
        return
    points = write_frontier(StudyFolder(out), results)
    choice = choose(points, budget=budget / 100)
    write_whole(out / RULE_FILE, rule_toml(choice, results))
    Console().print(f"{choice.reason}\nrecipe: {out / RULE_FILE}", soft_wrap=True, highlight=False)


def report(folder: Path, /, *, against: str = "origin") -> None:
    """Write report.md, report.csv, report.html and figures of a study, finished or not; of a frontier its files too.

    Args:
        folder: The study's --out folder.
        against: The arm that differences are to.
    """
    from rich.console import Console

    from cosec.evaluation.report import read_results, write_frontier, write_report
    from cosec.evaluation.study import StudyFolder

    console, results = Console(), read_results(StudyFolder(folder), against)
    for path in write_report(StudyFolder(folder), results):
        console.print(str(path), soft_wrap=True, highlight=False)
    if any(":" in arm for arm in results.settings.arms):
        write_frontier(StudyFolder(folder), results)


def _evaluate(out: Path, given: MeasureFlags | None, name: str, *, samples: int, **what: object) -> None:
    """A study of one benchmark."""
    from cosec.evaluation.study import study_settings

    flags = given or MeasureFlags()
    benchmark = {
        "name": name,
        "samples": flags.samples if flags.samples is not None else samples,
        "max_new_tokens": flags.max_new_tokens,
        "limit": flags.limit,
        "shortest": flags.shortest,
        **what,
    }
    settings = study_settings(
        {
            "name": f"{name} of {flags.endpoint or flags.target}",
            "target": flags.target,
            "security": flags.security_model,
            "endpoint": flags.endpoint,
            "endpoint_model": flags.endpoint_model,
            "arms": ("endpoint",) if flags.endpoint else tuple(flags.arm),
            "seeds": tuple(flags.seeds),
            "temperature": flags.temperature,
            "top_p": flags.top_p,
            "benchmarks": (benchmark,),
        }
    )
    _run(settings, out, flags)


def _run(settings: StudySettings, out: Path, work: WorkFlags | None) -> Results | None:
    """Work until the study is complete, then write its report and print its tables.

    Returns:
        Its results; None where only completions were asked for.
    """
    from rich.console import Console

    from cosec.evaluation.environment import environment
    from cosec.evaluation.judging import default_judges, judges_version
    from cosec.evaluation.study import JudgeWorker, Study, StudyFolder, note_sandbox, open_study, units_of
    from cosec.sandbox import choose_sandbox

    console, work = Console(stderr=True), work or WorkFlags()
    sandbox = None if work.generate_only else choose_sandbox(work.sandbox, fallback=settings.sandbox).name
    units = units_of(settings)
    make, models, named = _generators(settings, work)
    folder = StudyFolder(out)
    open_study(
        folder,
        settings,
        units,
        models,
        named=named,
        environment=environment(),
        judges=judges_version(),
        rejudge=work.rejudge,
    )
    if sandbox is not None:
        note_sandbox(folder, sandbox)
        console.print(f"sandbox: {sandbox}", highlight=False)
    with nullcontext() if work.generate_only else JudgeWorker(out, default_judges()) as judging:
        Study(settings, folder, units, generator=make, judge=judging, on_step=_Steps(console)).run()
    if work.generate_only:
        told = "all completions are recorded; the same command without --generate-only judges them"
        console.print(told, soft_wrap=True, highlight=False)
        return None
    return _reported(folder, console)


def _reported(folder: StudyFolder, console: Console) -> Results:
    """Write the report and print its tables; the results."""
    from rich.console import Console
    from rich.markdown import Markdown

    from cosec.evaluation.report import HEADLINE, markdown, read_results, write_report

    results = read_results(folder)
    write_report(folder, results)
    Console().print(Markdown(markdown(results, HEADLINE)))
    console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True, highlight=False)
    return results


def _generators(
    settings: StudySettings, work: WorkFlags
) -> tuple[Callable[[DecodingArm], Generator], dict[str, str], dict[str, str]]:
    """How to make an arm's generator, the hashes of the models behind it, and of those that arms call by name."""
    from cosec.evaluation.study import EndpointGenerator

    if settings.endpoint is not None:
        url, name = settings.endpoint, settings.endpoint_model
        return (lambda arm: EndpointGenerator(url, model=name)), {"endpoint": url}, {}
    from cosec.cli.study_models import StudyModels

    models = StudyModels(settings, dtype=work.dtype, device_map=work.device_map, rows=work.batch_rows)
    return models.generator, models.hashes, models.named_hashes


class _Steps:
    """Prints a line after each unit: what is done, how fast, how long it will take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._first: int | None = None

    def __call__(self, step: Step) -> None:
        if self._first is None:
            self._first = step.done
            self._began = time.monotonic()
        gained = step.done - self._first
        left = (step.total - step.done) * (time.monotonic() - self._began) / gained if gained else None
        rate = f", {step.tokens / step.seconds:.0f} tokens/s" if step.seconds else ""
        when = f", left {left / 60:.0f} min" if left is not None else ""
        self._console.print(
            f"{step.done} of {step.total} completions{rate}{when} ({step.unit})", soft_wrap=True, highlight=False
        )
