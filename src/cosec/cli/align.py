"""``cosec align``: align a small model with a larger one of its family by distillation."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cosec.cli.launching.processes import is_first, share_among
from cosec.errors import SettingsError
from cosec.training.alignment.settings import AlignmentSettings, choose_alignment

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.training.alignment.align import AlignmentExamples, AlignmentPair, AlignmentResult


def align(
    *,
    data: Annotated[Sequence[Path], Parameter(consume_multiple=True)],
    out: Path,
    teacher: str | None = None,
    student: str | None = None,
    recipe: str | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    overlap_check: bool = True,
    processes: int = 1,
    dtype: str = "auto",
    teacher_cache: Path | None = None,
    settings: Annotated[AlignmentSettings | None, Parameter(name="*")] = None,
) -> None:
    """Align a small model with a larger one of its family, before it is trained on security.

    The output folder is a model, the one with the lowest validation loss so far, with manifest.json, curves.jsonl and
    curves.png. Ctrl-C and SIGTERM save the run; the same command with --resume continues it.

    Args:
        data: JSONL files of instructions (evol-codealpaca, Magicoder, Alpaca), of prompts with completions (TRL) or of
            MBPP, source files, folders of sources, and package:NAME for the sources of an installed Python package.
        out: Folder for the aligned student and its checkpoints.
        teacher: The larger model: an embedded name, a hub id, a folder or a GGUF file.
        student: The small model, with the same tokenizer; `cosec models prune` makes one.
        recipe: A shipped recipe (codegen, starcoderbase, deepseek-coder, qwen2.5-coder, smollm2-135m) or a TOML file,
            which may name teacher and student. Flags override it.
        resume: Continue from the newest checkpoint in --out.
        dry_run: Show the training data and the memory need, and stop.
        overlap_check: Leave out documents that share 13 consecutive words with HumanEval or the scenarios.
        processes: Number of processes that share each batch, and with --sharding fsdp the weights.
        dtype: Type of the teacher's weights: auto (float32 on a processor, else bfloat16), float32, bfloat16, float16.
        teacher_cache: Folder for the teacher's distributions, computed once for all epochs, students and divergences.
            Only the most likely tokens are kept, so divergences are slightly too low.
        settings: The training settings.
    """
    names, chosen = choose_alignment(recipe, settings, {"teacher": teacher, "student": student})
    _refuse_without_effect(settings, teacher_cache, resumed_dry_run=dry_run and resume)
    processes = share_among(processes, chosen.batch_size, run=not dry_run)
    from rich.console import Console

    from cosec.cli.views.training_progress import show_result
    from cosec.evaluation.tasks.protected_texts import protected_texts
    from cosec.training.alignment.align import prepare_alignment
    from cosec.training.alignment.models import load_alignment_pair, read_shared_tokenizer

    console = Console()
    tokenizer, vocabulary = read_shared_tokenizer(names["teacher"], names["student"], chosen)
    examples = prepare_alignment(tokenizer, data, chosen, protected_texts() if overlap_check else None)
    _show_data(console, examples)
    if dry_run:
        _show_plan(console, names, examples, chosen, dtype, processes)
        return
    pair = load_alignment_pair(names, chosen, dtype, vocabulary)
    result = _train(pair, examples, chosen, out, resume=resume, teacher_cache=teacher_cache, console=console)
    show_result(console, "student", result)
    if result.interrupted:
        sys.exit(130)


def _refuse_without_effect(
    settings: AlignmentSettings | None, teacher_cache: Path | None, *, resumed_dry_run: bool
) -> None:
    if resumed_dry_run:
        raise SettingsError("--dry-run trains nothing, so it cannot --resume; give one of them")
    given = () if settings is None or teacher_cache is not None else sorted(settings.model_fields_set)
    for flag in (name.replace("_", "-") for name in given if name.startswith("teacher_")):
        raise SettingsError(f"--{flag} has no effect without --teacher-cache DIR; add it.")


def _train(
    pair: AlignmentPair,
    examples: AlignmentExamples,
    settings: AlignmentSettings,
    out: Path,
    *,
    resume: bool,
    teacher_cache: Path | None,
    console: Console,
) -> AlignmentResult:
    """Train, showing progress."""
    from cosec.cli.views.training_progress import TerminalProgress
    from cosec.training.alignment.align import align as train

    with TerminalProgress(console) as progress:
        return train(pair, examples, settings, out, resume=resume, teacher_cache=teacher_cache, progress=progress)


def _show_data(console: Console, examples: AlignmentExamples) -> None:
    """Describe the training data; only the first of several processes does."""
    if not is_first():
        return
    record = examples.record
    _say(
        console,
        f"{record['training_documents']} documents to train on ({record['tokens_per_epoch']} tokens an epoch in"
        f" {record['examples_per_epoch']} examples), {record['validation_documents']} to validate",
    )
    for reason, count in record["skipped"].items():
        _say(console, f"left out: {count} {reason}")
    if record["overlapping"]:
        shown = ", ".join(record["overlapping"][:5])
        more = len(record["overlapping"]) - 5
        _say(console, f"overlapping: {shown}" + (f" and {more} more" if more > 0 else ""))


def _show_plan(
    console: Console,
    names: Mapping[str, str],
    examples: AlignmentExamples,
    settings: AlignmentSettings,
    dtype: str,
    processes: int,
) -> None:
    """Print the number of steps and the memory that a run would take."""
    from cosec.training.alignment.models import outline_memory
    from cosec.training.loop.schedule import total_steps

    memory = outline_memory(names, settings, dtype, processes)
    _say(console, f"{total_steps(len(examples.training), settings)} optimizer steps")
    for label, size in asdict(memory).items():
        if size:
            _say(console, f"{label.replace('_', ' '):<16}{size / 2**20:12,.0f} MiB")
    devices = f"each of {processes} devices" if processes > 1 else "the device"
    _say(console, f"{'total':<16}{memory.total / 2**20:12,.0f} MiB on {devices} (activations are estimated)")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)
