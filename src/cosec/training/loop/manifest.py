"""The manifest of a run: its inputs, settings and results, written beside the weights."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cosec.version
from cosec.training.data.examples import TrainingExample
from cosec.training.data.security_pairs import PairSet
from cosec.training.loop.checkpoint import RunState
from cosec.training.settings import TrainingSettings

PACKAGES = ("cosec", "torch", "transformers", "peft", "accelerate", "safetensors")
"""Packages whose versions a manifest records."""


def describe_data(pairs: PairSet, balanced: Sequence[TrainingExample], distinct: int) -> dict[str, Any]:
    """Counts of a run's data, and the digest of the files they came from.

    Args:
        pairs: What was read.
        balanced: The examples of one epoch, repeats included.
        distinct: How many of them are originals.
    """
    originals = balanced[:distinct]
    return {
        "sha256": pairs.sha256,
        "training_pairs": len(pairs.training),
        "validation_pairs": len(pairs.validation),
        "skipped_equal": pairs.skipped_equal,
        "skipped_shared_commit": pairs.skipped_shared_commit,
        "examples_per_epoch": len(balanced),
        "tokens_per_epoch": sum(len(example.token_ids) for example in balanced),
        "cut_to_a_window": sum(example.function_tokens > len(example.token_ids) for example in originals),
        "without_changed_token": sum(not bool(example.changed[1:].any()) for example in originals),
    }


def describe_run(
    *,
    facts: Mapping[str, Any],
    data: Mapping[str, Any],
    settings: TrainingSettings,
    state: RunState,
    finished: bool,
    curves: Sequence[Mapping[str, Any]],
    processes: int,
    commit: str | None,
) -> dict[str, Any]:
    """The manifest of a run in its current state, as JSON values.

    Args:
        facts: Entries of the phase: the input models and the digest of the output.
        data: Counts and digest of the data.
        settings: The run's settings.
        state: The state of the run.
        finished: Whether the run reached its end.
        curves: The points of ``curves.jsonl``; those of validation become the metrics per epoch.
        processes: How many processes shared the batches.
        commit: Commit of the code when the run began, from ``git_commit``.
    """
    return {
        "format": 1,
        **facts,
        "seed": settings.seed,
        "settings": settings.model_dump(mode="json"),
        "data": dict(data),
        "finished": finished,
        "best_epoch": state.best_epoch,
        "best_validation_loss": state.best_loss,
        "steps": state.step,
        "tokens": state.tokens,
        "training_seconds": round(state.seconds, 1),
        "validation": [
            {key: value for key, value in point.items() if key != "kind"}
            for point in curves
            if point["kind"] == "validation"
        ],
        "processes": processes,
        "versions": _versions(),
        "git_commit": commit,
    }


@cache
def _versions() -> dict[str, str]:
    """Read once, as a manifest is written after every validation."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def git_commit() -> str | None:
    """The commit of the package's source checkout, ``-dirty`` where the training code differs; None when installed."""
    checkout = Path(cosec.__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "HEAD").stdout.strip()
        changed = _git(checkout, "status", "--porcelain", "--", str(Path(cosec.__file__).parent)).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
