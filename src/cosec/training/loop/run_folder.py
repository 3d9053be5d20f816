"""The output folder of a run: the best weights so far, the manifest and the curves.

Every file is complete at any time, so the folder can be used while training continues. The weights are an adapter or a
whole model, depending on the phase.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from cosec.errors import TrainingError
from cosec.files import USUAL, share_like, write_atomically
from cosec.models.identity import hash_file
from cosec.training.loop.checkpoint import CheckpointStore, RunState, writing
from cosec.training.loop.curves import draw_curves, plots_available
from cosec.training.loop.manifest import describe_run, git_commit
from cosec.training.settings import TrainingSettings

PATIENT = timedelta(days=7)
"""How long a process waits for the others. It is long, so that a suspended run can continue."""

MODEL_FILES = ("config.json", "adapter_config.json", "*.safetensors")
"""Files of a model or an adapter; a new run does not replace them."""


PARTIAL = ".weights-"
"""Beginning of the name of a folder inside the output folder, in which weights are written."""


class RunFolder:
    """The output folder of one run.

    Args:
        folder: An existing folder.
        write_weights: Writes the weights as they are now, and what belongs to them, into an empty folder; called on
            every process, on all but the main one with None, so that divided weights can be gathered.
        weights: Name of the file whose digest is recorded, and what the manifest calls it.
        facts: Entries at the head of the manifest.
        data: Counts and digest of the data, for the manifest.
        settings: The run's settings.
        store: Provides the points of the curves.
        panels: The losses to draw.
        accelerator: Provides the number of processes and the one that writes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        write_weights: Callable[[Path | None], None],
        weights: tuple[str, str],
        facts: Mapping[str, Any],
        data: Mapping[str, Any],
        settings: TrainingSettings,
        store: CheckpointStore,
        panels: Sequence[str],
        accelerator: Accelerator,
    ) -> None:
        self._folder, self._write_weights, self._weights, self._facts = folder, write_weights, weights, facts
        self._data, self._settings, self._store = data, settings, store
        self._panels, self._accelerator = panels, accelerator
        self._commit = git_commit()

    def publish(self, state: RunState, best: bool) -> None:
        """Bring the folder up to date after a validation; every process calls this.

        Args:
            state: The state of the run.
            best: Whether the current weights replace the published ones.

        Raises:
            TrainingError: If a file cannot be written.
        """
        if not self._accelerator.is_main_process:
            if best:
                self._write_weights(None)
            return
        with writing(self._folder, self._store.remedy):
            if best:
                self._replace_weights()
            curves = self._write_manifest(state, finished=False)
            if plots_available():
                draw_curves(curves, self._folder / "curves.png", self._panels)

    def close(self, state: RunState, *, interrupted: bool) -> None:
        """Record in the manifest whether the run reached its end; every process calls this and waits for the others.

        Raises:
            TrainingError: If the manifest cannot be written.
        """
        if self._accelerator.is_main_process and not interrupted:
            with writing(self._folder, self._store.remedy):
                self._write_manifest(state, finished=True)
        self._accelerator.wait_for_everyone()

    def _write_manifest(self, state: RunState, *, finished: bool) -> list[dict[str, Any]]:
        """Write ``manifest.json`` and return the points of the curves."""
        curves = self._store.curves()
        file, label = self._weights
        manifest = describe_run(
            facts={**self._facts, f"{label}_sha256": hash_file(self._folder / file)},
            data=self._data,
            settings=self._settings,
            state=state,
            finished=finished,
            curves=curves,
            processes=self._accelerator.num_processes,
            commit=self._commit,
        )
        write_atomically(self._folder / "manifest.json", json.dumps(manifest, indent=2) + "\n", mode=USUAL)
        return curves

    def _replace_weights(self) -> None:
        """Write the new files beside the old ones, then replace them. All who may read the folder may read them."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=PARTIAL) as partial:
            self._write_weights(Path(partial))
            files = sorted(Path(partial).iterdir())
            share_like(self._folder, files)
            for file in files:
                file.replace(self._folder / file.name)


def make_accelerator() -> Accelerator:
    """Make the object that knows devices and processes."""
    return Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENT)])


def prepare_folder(out: Path, store: CheckpointStore, accelerator: Accelerator, *, resume: bool) -> None:
    """Refuse to overwrite a run or a model, or to resume a run that is not there, and make the folder.

    What a killed run left while it wrote weights is removed.

    Raises:
        TrainingError: If the folder holds a run that is not to be resumed, or none that can be, if it holds a model or
            an adapter without a run, or if it cannot be made.
    """
    if store.is_begun and store.latest() is None and _is_trained(out / "manifest.json"):
        raise TrainingError(f"{out} holds trained weights without a checkpoint; choose another --out.")
    if resume:
        store.newest()
    elif store.latest() is not None:
        raise TrainingError(f"{out} already holds a run; continue it with --resume or choose another --out.")
    elif not store.is_begun and any(file for pattern in MODEL_FILES for file in out.glob(pattern)):
        raise TrainingError(f"{out} holds a model or an adapter, which is not overwritten; choose another --out.")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        try:
            store.begin()
        except OSError as error:
            raise TrainingError(f"Cannot make the folder {out}: {error.strerror}; choose another --out.") from error
        for leftover in out.glob(f"{PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
    accelerator.wait_for_everyone()


def _is_trained(manifest: Path) -> bool:
    """Whether a run's manifest is of trained weights; one that cannot be read may be."""
    try:
        record = json.loads(manifest.read_text(encoding="utf-8"))
        return bool(record["best_epoch"] > 0 or record["finished"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True
