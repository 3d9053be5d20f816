"""``cosec tune``: train a security adapter on vulnerability fixes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cosec.errors import SettingsError
from cosec.training.settings import HardeningSettings, choose_settings

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.training.hardening import HardeningResult


def tune(
    *,
    out: Path,
    base: str = "smollm2-135m",
    pairs: Annotated[Sequence[Path], Parameter(negative=())] = (),
    recipe: str | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    processes: int = 1,
    dtype: str = "auto",
    settings: Annotated[HardeningSettings | None, Parameter(name="*")] = None,
) -> None:
    """Train a LoRA adapter that makes a model prefer the fixed over the vulnerable.

    The output folder is a peft adapter: the one with the lowest validation loss so far, with manifest.json,
    curves.jsonl and curves.png. Ctrl-C and SIGTERM save the run; the same command with --resume continues it.

    Args:
        out: Folder for the adapter and its checkpoints.
        base: The model to train: an embedded name, a hub id, a folder or a GGUF file.
        pairs: Files or folders of vulnerability-fix pairs in SVEN's JSONL layout, may be repeated; the default is the
            pairs that come with the package.
        recipe: A shipped recipe (cosec-plus, cosec, lora, smollm2-135m) or a TOML file; the default is the recipe named
            like --method. Flags given here win over the recipe.
        resume: Go on from the newest checkpoint in --out.
        processes: Share each batch among this many processes. Two processes of one thread are faster than one of two.
        dtype: auto, float32, bfloat16 or float16.
        settings: The training settings.
    """
    chosen = choose_settings(recipe, settings)
    from cosec.cli.launching.processes import inside_a_group, run_in_processes

    if processes > chosen.batch_size or processes < 1:
        raise SettingsError(f"--processes must be between 1 and --batch-size ({chosen.batch_size}); found {processes}")
    if processes > 1 and not inside_a_group():
        sys.exit(run_in_processes(sys.argv[1:], processes))
    from rich.console import Console

    console = Console()
    result = _harden(base, pairs, chosen, out, resume=resume, dtype=dtype, console=console)
    _report(console, result)
    if result.interrupted:
        sys.exit(130)


def _harden(
    base: str,
    pairs: Sequence[Path],
    settings: HardeningSettings,
    out: Path,
    *,
    resume: bool,
    dtype: str,
    console: Console,
) -> HardeningResult:
    """Load the model and train it, with the bar shown meanwhile."""
    from cosec.cli.views.training_progress import TerminalProgress
    from cosec.training.base_model import load_base
    from cosec.training.data.security_pairs import shipped_pairs
    from cosec.training.hardening import harden

    loaded = load_base(base, settings, dtype=dtype)
    with ExitStack() as stack:
        progress = stack.enter_context(TerminalProgress(console))
        return harden(loaded, pairs or [shipped_pairs()], settings, out, resume=resume, progress=progress)


def _report(console: Console, result: HardeningResult) -> None:
    """Say in a few lines how the run ended, from the first process only."""
    import os

    if os.environ.get("RANK", "0") != "0":
        return
    state = result.state
    if result.interrupted:
        text = f"stopped after step {state.step}, everything is saved; go on with the same command and --resume"
    else:
        text = f"done after {state.step} steps"
    lines = [text, f"adapter in {result.folder}, from epoch {state.best_epoch}"]
    if state.best_loss is not None:
        lines[-1] += f" (validation loss {state.best_loss:.4f})"
    if not result.curves_drawn:
        lines.append("no curves.png: matplotlib is missing; install it with: pip install 'cosec[plots]'")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
