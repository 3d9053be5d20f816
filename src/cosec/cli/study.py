"""``cosec study``: run a whole comparison from a recipe, and what the other measuring verbs share with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

from cosec.cli.runtime_flag import Runtime
from cosec.errors import SettingsError
from cosec.sandbox import BackendName

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.evaluation.report import Results
    from cosec.evaluation.study import CompletionSource, StudyFolder, StudySettings, Unit


OUTDATED = "The verdicts are of other checkers or tests than the present ones; --rejudge judges again what changed."
"""Message about a complete study."""


class WorkFlags(BaseModel):
    """Flags that say how completions are computed and judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    batch_rows: int = Field(default=48, ge=1)
    """Completions decoded at once; changes the speed and never the text."""

    dtype: str = "auto"
    """Type of the weights: auto (float32 on a processor, else the checkpoint's), float32, bfloat16 or float16."""

    device_map: str | None = None
    """Passed to transformers, for example ``auto`` or ``cuda``."""

    runtime: Runtime = "torch"
    """What runs the models. A study belongs to one runtime: their texts differ where probabilities nearly tie."""

    target_key_file: Path | None = None
    """With a URL as the target: a file whose first line is the API key of that server."""

    generate_only: Annotated[bool, Parameter(negative=())] = False
    """Only generate; a later run of the same command judges, possibly on another machine."""

    judge_only: Annotated[bool, Parameter(negative=())] = False
    """Only judge completions that are all recorded; the models are not needed."""

    rejudge: Annotated[bool, Parameter(negative=())] = False
    """Judge again completions that other checkers or tests have judged; the earlier verdicts are kept."""

    sandbox: BackendName | None = None
    """What isolates the programs that are run: bubblewrap (the default), or resource limits alone, which let a program
    read and write all that you can.
    """


Work = Annotated[WorkFlags | None, Parameter(name="*")]
"""The flags of :class:`WorkFlags`, as a parameter of a verb."""


def study(recipe: Path, /, *, out: Path, work: Work = None) -> None:
    """Run a whole comparison from a recipe, or continue it.

    Args:
        recipe: A TOML file with arms, seeds and benchmarks.
        out: Folder of the records; several processes may work on it.
        work: How completions are computed and judged.
    """
    from cosec.evaluation.study import read_recipe

    run_study(read_recipe(recipe), out, work)


def run_study(settings: StudySettings, out: Path, work: WorkFlags | None) -> Results | None:
    """Work until the study is complete, then write its report and print its tables.

    Args:
        settings: What the study computes.
        out: Folder of the records.
        work: How completions are computed and judged; None for the defaults.

    Returns:
        The results; None if only completions were asked for.

    Raises:
        CosecError: If the settings, the models or the folder do not allow the study.
    """
    from rich.console import Console

    from cosec.cli.views.study_progress import StudyProgress
    from cosec.evaluation.environment import environment
    from cosec.evaluation.judging import default_judges, judges_version
    from cosec.evaluation.study import (
        JudgeWorker,
        Study,
        StudyFolder,
        note_sandbox,
        open_study,
        units_of,
    )
    from cosec.sandbox import choose_sandbox

    console, work = Console(stderr=True), work or WorkFlags()
    if work.generate_only and (work.rejudge or work.sandbox is not None):
        flag = "--rejudge" if work.rejudge else "--sandbox"
        raise SettingsError(f"--generate-only judges nothing, so {flag} has no effect; leave one of them out.")
    sandbox = None if work.generate_only else choose_sandbox(work.sandbox, fallback=settings.sandbox).name
    units = units_of(settings)
    folder = StudyFolder(out)
    source = _source(settings, folder, units, work)
    up_to_date = open_study(
        folder,
        settings,
        units,
        source.hashes,
        named=source.named_hashes,
        environment=environment(),
        judges=judges_version(),
        rejudge=work.rejudge,
        adds_verdicts=not work.generate_only,
    )
    if not up_to_date and not work.generate_only:
        console.print(OUTDATED, soft_wrap=True, highlight=False)
    if sandbox is not None:
        note_sandbox(folder, sandbox, units)
        console.print(f"sandbox: {sandbox}", highlight=False)
    with nullcontext() if work.generate_only else JudgeWorker(out, default_judges()) as judging:
        Study(settings, folder, units, generator=source.generator, judge=judging, on_step=StudyProgress(console)).run()
    if work.generate_only:
        told = "all completions are recorded; the same command without --generate-only judges them"
        console.print(told, soft_wrap=True, highlight=False)
        return None
    return _reported(folder, console)


def _source(settings: StudySettings, folder: StudyFolder, units: Sequence[Unit], work: WorkFlags) -> CompletionSource:
    """What generates the completions that are missing."""
    from cosec.evaluation.study import RecordedSource, completion_source, recorded_runtime

    if work.judge_only:
        if work.generate_only:
            raise SettingsError("--generate-only and --judge-only exclude each other; give one of them.")
        return RecordedSource(folder, units)
    return completion_source(
        settings,
        rows=work.batch_rows,
        dtype=work.dtype,
        device_map=work.device_map,
        runtime=work.runtime,
        recorded=recorded_runtime(folder),
        target_key_file=work.target_key_file,
    )


def _reported(folder: StudyFolder, console: Console) -> Results:
    """Write the report and print its tables."""
    from rich.console import Console

    from cosec.cli.views.report_tables import ReportText
    from cosec.evaluation.report import HEADLINE, markdown, read_results, write_report

    results = read_results(folder)
    write_report(folder, results)
    Console().print(ReportText(markdown(results, HEADLINE)))
    console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True, highlight=False)
    return results
