"""What a run shows of itself: the best adapter so far as peft reads it, its manifest, and its curves.

Every file is whole at any time, so the folder can be used while training goes on.
"""

import copy
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from cosec.training.checkpoint import CheckpointStore, RunState, replace_text, writing
from cosec.training.curves import draw_curves, plots_available
from cosec.training.manifest import describe_run, git_commit
from cosec.training.settings import HardeningSettings

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""The two files that peft reads."""


class AdapterFolder:
    """The output folder of one run.

    Args:
        folder: Where it is; it exists.
        model: The ``peft.PeftModel`` being trained.
        base_model: Name and sha256 of the model the adapter belongs to; the name goes into ``adapter_config.json``.
        data: Counts and digest of the data, for the manifest.
        settings: The run's settings.
        store: Has the points of the curves.
        processes: How many processes share the batches.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: Any,
        base_model: Mapping[str, str],
        data: Mapping[str, Any],
        settings: HardeningSettings,
        store: CheckpointStore,
        processes: int,
    ) -> None:
        self._folder, self._model, self._store = folder, model, store
        self._base_model, self._data, self._settings, self._processes = base_model, data, settings, processes
        self._commit = git_commit()

    def publish(self, state: RunState, best: bool) -> None:
        """Bring the folder up to date after a validation.

        Args:
            state: Where the run stands.
            best: Whether the adapter as it is now takes the place of the one before.

        Raises:
            TrainingError: If a file cannot be written.
        """
        with writing(self._folder):
            if best:
                self._save_adapter()
            curves = self._store.curves()
            manifest = describe_run(
                base_model=self._base_model,
                data=self._data,
                settings=self._settings,
                state=state,
                curves=curves,
                adapter=self._folder / "adapter_model.safetensors",
                processes=self._processes,
                commit=self._commit,
            )
            replace_text(self._folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
            if plots_available():
                draw_curves(curves, self._folder / "curves.png")

    def _save_adapter(self) -> None:
        """Write peft's two files beside their places and put them there."""
        config = copy.copy(self._model.peft_config["default"])
        config.base_model_name_or_path = self._base_model["name"]
        config.inference_mode = True
        config.target_modules = sorted(config.target_modules)
        weights = get_peft_model_state_dict(self._model, save_embedding_layers=False)
        tensors = {name: value.cpu().contiguous() for name, value in weights.items()}
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".adapter-") as partial:
            config.save_pretrained(partial)
            save_file(tensors, Path(partial) / "adapter_model.safetensors")
            for name in ADAPTER_FILES:
                (Path(partial) / name).replace(self._folder / name)
