"""``cosec tune``: train a security adapter on vulnerability fixes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cosec.cli.launching.processes import is_first, share_among
from cosec.files import USUAL, write_atomically
from cosec.training.settings import HardeningSettings, choose_settings

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.training.data.corpus import Corpus
    from cosec.training.hardening import HardeningResult
    from cosec.training.starting_adapter import StartingAdapter


def tune(
    *,
    out: Path,
    base: str = "smollm2-135m",
    pairs: Sequence[Path] = (),
    functional_texts: Sequence[Path] = (),
    recipe: str | None = None,
    start_from: str | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    processes: int = 1,
    dtype: str = "auto",
    settings: Annotated[HardeningSettings | None, Parameter(name="*")] = None,
) -> None:
    """Train a LoRA adapter, or a prefix, that makes a model prefer fixed code over vulnerable code.

    The output folder is a peft adapter, the one with the lowest validation loss so far, with manifest.json,
    curves.jsonl and curves.png. Ctrl-C and SIGTERM save the run; the same command with --resume continues it.

    Args:
        out: Folder for the adapter and its checkpoints.
        base: The model to train: an embedded name, a hub id, a folder or a GGUF file.
        pairs: Files or folders of vulnerability-fix pairs in SVEN's JSONL layout; repeatable. Default: the pairs that
            ship with the package.
        functional_texts: Code on which the model stays as it was, in the formats of `cosec align --data`; repeatable.
        recipe: A shipped recipe (cosec-plus, cosec, lora, prefix, qwen2.5-coder-0.5b, qwen2.5-coder-0.5b-preference,
            smollm2-135m) or a TOML file. Default: the recipe with the name of --method. Flags override the recipe.
        start_from: Train on from this adapter of the same base: a folder, or an embedded model for the adapter that
            ships for it. Rank, scale, modules and decoding rule are the adapter's. Default: a fresh adapter.
        resume: Continue from the newest checkpoint in --out.
        processes: Number of processes that share each batch. Two with one thread each are faster than one with two.
        dtype: auto, float32, bfloat16 or float16.
        settings: The training settings.
    """
    chosen = choose_settings(recipe, settings)
    share_among(processes, chosen.batch_size)
    from rich.console import Console

    from cosec.cli.views.training_progress import show_result

    console = Console()
    start = None
    if start_from is not None:
        from cosec.training.starting_adapter import read_starting_adapter

        start = read_starting_adapter(start_from)
        chosen = start.shape(chosen, given=settings.model_fields_set if settings else ())
    texts = _corpus(functional_texts, chosen)
    result = _harden(base, pairs, texts, start, chosen, out, resume=resume, dtype=dtype, console=console)
    if start is not None and is_first():
        _keep_rule(start, out)
    show_result(console, "prefix" if chosen.method == "prefix" else "adapter", result)
    if result.interrupted:
        sys.exit(130)


def _harden(
    base: str,
    pairs: Sequence[Path],
    texts: Corpus | None,
    start: StartingAdapter | None,
    settings: HardeningSettings,
    out: Path,
    *,
    resume: bool,
    dtype: str,
    console: Console,
) -> HardeningResult:
    """Load the model and train it, showing progress."""
    from cosec.cli.views.training_progress import TerminalProgress
    from cosec.training.base_model import load_base
    from cosec.training.data.security_pairs import load_pairs, shipped_pairs
    from cosec.training.hardening import harden

    data = pairs or [shipped_pairs()]
    load_pairs(data, validation_share=settings.validation_share, seed=settings.seed)  # a mistake shows before the load
    loaded = load_base(base, settings, dtype=dtype)
    with ExitStack() as stack:
        progress = stack.enter_context(TerminalProgress(console))
        return harden(loaded, data, settings, out, texts=texts, start=start, resume=resume, progress=progress)


def _keep_rule(start: StartingAdapter, out: Path) -> None:
    """Give the new adapter the decoding rule of the one it started from, unless it has one."""
    from cosec.decoding.rules.rule_file import RULE_FILE

    carried, own = start.adapter.path / RULE_FILE, out / RULE_FILE
    if carried.is_file() and not own.exists():
        lines = carried.read_text(encoding="utf-8").splitlines()
        rule = [line for line in lines if not line.startswith("#")]  # comments tell what that adapter was measured with
        said = f"# The rule of {start.name}, from which this adapter was trained on."
        write_atomically(own, "\n".join([said, *rule]).rstrip("\n") + "\n", mode=USUAL)


def _corpus(paths: Sequence[Path], settings: HardeningSettings) -> Corpus | None:
    """The functional texts without those that overlap an evaluation set; None if there are none."""
    if not paths:
        return None
    from cosec.evaluation.tasks.protected_texts import protected_texts
    from cosec.training.data.corpus import load_corpus

    return load_corpus(paths, validation_share=0, seed=settings.seed, protected=protected_texts())
