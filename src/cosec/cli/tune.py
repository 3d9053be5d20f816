"""``cosec tune``: train a security adapter on vulnerability fixes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cosec.errors import SettingsError
from cosec.training.settings import HardeningSettings, make_settings, read_recipe

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.training.hardening import BaseModel, HardeningResult


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


def choose_settings(recipe: str | None, flags: HardeningSettings | None) -> HardeningSettings:
    """Put the recipe and the flags together; only flags that were really given override the recipe.

    Raises:
        SettingsError: If ``--method`` contradicts the recipe, or a setting is unknown or out of range.
    """
    given: Mapping[str, Any] = flags.model_dump(include=flags.model_fields_set) if flags else {}
    method = given.get("method")
    entries = read_recipe(recipe or method or "cosec-plus")
    if recipe and method and entries.get("method", method) != method:
        raise SettingsError(
            f"--method {method} contradicts the recipe {recipe}, which is for {entries['method']}; give one of them"
        )
    return make_settings(entries, given)


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
    from cosec.training.data.security_pairs import shipped_pairs
    from cosec.training.hardening import harden

    loaded = load_base(base, settings, dtype=dtype)
    with ExitStack() as stack:
        progress = stack.enter_context(TerminalProgress(console))
        return harden(loaded, pairs or [shipped_pairs()], settings, out, resume=resume, progress=progress)


def load_base(name: str, settings: HardeningSettings, *, dtype: str = "auto") -> BaseModel:
    """Load the model to train.

    Args:
        name: As for ``load_model``; not an adapter.
        settings: The window must fit the model's context.
        dtype: As for ``load_model``.

    Raises:
        SettingsError: If ``name`` is an adapter, or the window is longer than the context.
        ModelError: If the model cannot be loaded, or its LoRA targets are unknown.
    """
    from cosec.models.adapters import is_adapter
    from cosec.models.families import lora_targets
    from cosec.models.identity import model_fingerprint
    from cosec.models.loading.load import load_model, resolve_model
    from cosec.training.hardening import BaseModel

    if is_adapter(resolve_model(name)):
        raise SettingsError(f"{name} is an adapter; --base needs a full model (the adapter's own base, for example)")
    loaded = load_model(name, dtype=dtype)
    if settings.max_tokens > loaded.context_length:
        raise SettingsError(
            f"--max-tokens {settings.max_tokens} is longer than the context of {name} ({loaded.context_length} tokens)"
        )
    return BaseModel(
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        name=str(Path(name).resolve()) if Path(name).exists() else name,
        sha256=model_fingerprint(loaded.path),
        lora_targets=lora_targets(loaded.model, settings.lora_targets),
    )


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
