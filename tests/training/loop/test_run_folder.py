import json
from pathlib import Path

import pytest

from cosec.errors import TrainingError
from cosec.training.loop.checkpoint import CheckpointStore
from cosec.training.loop.run_folder import make_accelerator, prepare_folder


def prepare(out: Path) -> None:
    prepare_folder(out, CheckpointStore(out, {}), make_accelerator(), resume=False)


def test_half_written_weights_of_a_killed_run_are_removed(tmp_path) -> None:
    (tmp_path / ".weights-ab12").mkdir()
    (tmp_path / ".weights-ab12" / "model.safetensors").write_bytes(b"half")
    prepare(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize(
    "manifest",
    [json.dumps({"best_epoch": 2, "finished": False}), json.dumps({"best_epoch": 0, "finished": True}), "", "[]"],
    ids=["trained", "finished", "cut off", "not a manifest"],
)
def test_a_begun_run_whose_weights_may_be_trained_is_not_begun_again(tmp_path, manifest: str) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(TrainingError, match="choose another --out"):
        prepare(tmp_path)


@pytest.mark.parametrize("manifest", [None, {"best_epoch": 0, "finished": False}], ids=["absent", "untrained"])
def test_a_run_that_ended_untrained_is_begun_again(tmp_path, manifest: dict[str, object] | None) -> None:
    (tmp_path / "checkpoints").mkdir()
    if manifest:
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    prepare(tmp_path)
