import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from cosec.errors import TrainingError
from cosec.training.loop import checkpoint
from cosec.training.loop.checkpoint import CheckpointStore, RunState
from cosec.training.loop.progress import LossSums


def stepped_parameter(steps: int = 3) -> tuple[dict[str, nn.Parameter], torch.optim.AdamW]:
    """One parameter that AdamW has moved a few times."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(4, 3))
    optimizer = torch.optim.AdamW([parameter])
    for _ in range(steps):
        parameter.grad = torch.randn(4, 3)
        optimizer.step()
    return {"lora_A": parameter}, optimizer


def save(folder: Path, state: RunState, **identity: object) -> Path:
    return CheckpointStore(folder, identity).save(state, *stepped_parameter())


def test_a_loaded_checkpoint_goes_on_exactly_like_the_run_that_wrote_it(tmp_path) -> None:
    parameters, optimizer = stepped_parameter()
    store = CheckpointStore(tmp_path, {"seed": 0})
    written = RunState(
        step=3, epoch=1, batch=2, best_loss=0.5, best_epoch=1, recent=LossSums({"loss": 1.0, "security": 2.0}, 4)
    )
    store.save(written, parameters, optimizer)
    fresh = nn.Parameter(torch.zeros(4, 3))
    fresh_optimizer = torch.optim.AdamW([fresh])
    assert store.load({"lora_A": fresh}, fresh_optimizer) == written
    gradient = torch.randn(4, 3)
    for parameter, its_optimizer in ((parameters["lora_A"], optimizer), (fresh, fresh_optimizer)):
        parameter.grad = gradient.clone()
        its_optimizer.step()
    assert torch.equal(parameters["lora_A"], fresh)


def test_a_checkpoint_written_before_tokens_were_counted_is_read(tmp_path) -> None:
    folder = save(tmp_path, RunState(step=3))
    record = json.loads((folder / "state.json").read_text())
    record["state"] = {
        "step": 3,
        "epoch": 0,
        "batch": 3,
        "best_loss": 1.5,
        "best_epoch": 0,
        "stale_epochs": 0,
        "recent": {"loss": 2.0, "security": 1.25, "functional": 0.75, "examples": 4},
    }
    (folder / "state.json").write_text(json.dumps(record))
    state = CheckpointStore(tmp_path, {}).load(*stepped_parameter())
    assert (state.step, state.tokens) == (3, 0)
    assert state.recent == LossSums({"loss": 2.0, "security": 1.25, "functional": 0.75}, 4)


def test_without_epochs_only_the_newest_checkpoint_is_kept(tmp_path) -> None:
    for step in (0, 4, 8):
        CheckpointStore(tmp_path, {}, keep_epochs=False).save(RunState(step=step), *stepped_parameter())
    assert [folder.name for folder in (tmp_path / "checkpoints").iterdir()] == ["step-0000008"]


def test_a_number_that_was_not_measured_is_null_in_the_curves(tmp_path) -> None:
    CheckpointStore(tmp_path, {}).append_curve({"kind": "training", "step": 1, "kl": float("nan")})
    assert "null" in (tmp_path / "curves.jsonl").read_text()


def test_only_the_newest_checkpoint_and_those_at_the_end_of_an_epoch_are_kept(tmp_path) -> None:
    for step, batch in [(0, 0), (2, 2), (4, 0), (5, 1), (6, 2)]:
        save(tmp_path, RunState(step=step, batch=batch))
    kept = sorted(folder.name for folder in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-0000000", "step-0000004", "step-0000006"]


def test_a_full_disk_is_a_clear_error_and_leaves_the_earlier_checkpoint(tmp_path, monkeypatch) -> None:
    save(tmp_path, RunState(step=1, batch=1))

    def full(tensors: object, file: Path) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match=r"No space left.*Earlier checkpoints are intact.*--resume"):
        save(tmp_path, RunState(step=2, batch=2))
    monkeypatch.undo()
    parameters, optimizer = stepped_parameter()
    assert CheckpointStore(tmp_path, {}).load(parameters, optimizer).step == 1


def test_without_a_checkpoint_a_full_disk_does_not_lead_to_resuming(tmp_path, monkeypatch) -> None:
    def full(tensors: object, file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match=r"No space left.*run the same command again") as caught:
        save(tmp_path, RunState(step=0))
    assert "--resume" not in str(caught.value)


def test_the_earlier_checkpoint_goes_when_the_new_one_is_on_the_disk(tmp_path, monkeypatch) -> None:
    save(tmp_path, RunState(step=1, batch=1))
    events: list[tuple[str, object]] = []
    rename, remove = Path.rename, shutil.rmtree
    monkeypatch.setattr(os, "fsync", lambda descriptor: events.append(("sync", os.fstat(descriptor).st_ino)))
    monkeypatch.setattr(Path, "rename", lambda own, to: events.append(("rename", to.name)) or rename(own, to))
    monkeypatch.setattr(
        shutil, "rmtree", lambda path, **how: events.append(("remove", path.name)) or remove(path, **how)
    )
    final = save(tmp_path, RunState(step=2, batch=2))
    *files, folder, renamed, parent, removed = events
    assert sorted(files) == sorted(("sync", file.stat().st_ino) for file in final.iterdir())
    assert folder == ("sync", final.stat().st_ino)
    assert renamed == ("rename", final.name)
    assert parent == ("sync", final.parent.stat().st_ino)
    assert removed == ("remove", "step-0000001")


def test_a_file_system_that_cannot_sync_is_used_all_the_same(tmp_path, monkeypatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    assert save(tmp_path, RunState(step=1)).is_dir()


def test_a_disk_that_fails_keeps_the_earlier_checkpoint(tmp_path, monkeypatch) -> None:
    earlier = save(tmp_path, RunState(step=1, batch=1))

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TrainingError, match="Input/output error"):
        save(tmp_path, RunState(step=2, batch=2))
    assert CheckpointStore(tmp_path, {}).latest() == earlier


def test_a_leftover_of_a_killed_write_is_ignored(tmp_path) -> None:
    save(tmp_path, RunState(step=1, batch=1))
    (tmp_path / "checkpoints" / "partial-0000002").mkdir()
    assert CheckpointStore(tmp_path, {}).latest() == tmp_path / "checkpoints" / "step-0000001"


def leftovers(folder: Path) -> list[Path]:
    """What saves of step 5 leave that are killed before and after the checkpoint is in place."""
    made = [folder / "checkpoints" / name for name in ("partial-0000005", "replaced-0000005")]
    for each in made:
        each.mkdir(parents=True)
        (each / "adapter.safetensors").write_bytes(b"half")
    return made


def test_a_save_removes_the_leftovers_of_killed_ones(tmp_path) -> None:
    leftovers(tmp_path)
    final = save(tmp_path, RunState(step=9))
    assert list((tmp_path / "checkpoints").iterdir()) == [final]


def test_a_save_that_fails_removes_no_whole_checkpoint(tmp_path, monkeypatch) -> None:
    partial, replaced = leftovers(tmp_path)

    def full(tensors: object, file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match="No space left"):
        save(tmp_path, RunState(step=9))
    assert not partial.exists()
    assert replaced.exists()


def test_a_process_that_does_not_write_removes_nothing(tmp_path) -> None:
    made = leftovers(tmp_path)
    CheckpointStore(tmp_path, {}).save(RunState(step=9), *stepped_parameter(), write=False)
    assert all(each.exists() for each in made)


@pytest.mark.parametrize("name", ["adapter.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(tmp_path, name: str) -> None:
    folder = save(tmp_path, RunState(step=1))
    (folder / name).write_bytes((folder / name).read_bytes()[:20])
    with pytest.raises(TrainingError, match=r"step-0000001 is damaged.*there is no other; choose another --out"):
        CheckpointStore(tmp_path, {}).load(*stepped_parameter())


def test_a_damaged_checkpoint_after_another_may_be_deleted(tmp_path) -> None:
    save(tmp_path, RunState(step=0))
    (save(tmp_path, RunState(step=1)) / "state.json").write_text("{")
    with pytest.raises(TrainingError, match=r"step-0000001 is damaged.*delete it to resume from the one before"):
        CheckpointStore(tmp_path, {}).load(*stepped_parameter())


def test_the_checkpoint_of_another_run_is_refused_and_the_difference_named(tmp_path) -> None:
    save(tmp_path, RunState(step=1), seed=0, epochs=8)
    with pytest.raises(TrainingError, match=r"seed differs \(seed: 0 there, 1 here"):
        CheckpointStore(tmp_path, {"seed": 1, "epochs": 8}).load(*stepped_parameter())


def test_nothing_to_resume_is_an_error(tmp_path) -> None:
    with pytest.raises(TrainingError, match="Nothing to resume"):
        CheckpointStore(tmp_path, {}).load(*stepped_parameter())


def test_curves_are_cut_back_to_where_a_run_resumes(tmp_path) -> None:
    store = CheckpointStore(tmp_path, {})
    for step in (10, 20, 30):
        store.append_curve({"kind": "training", "step": step})
    with (tmp_path / "curves.jsonl").open("a") as file:
        file.write('{"kind": "trai')
    store.rewind_curves(20)
    assert [point["step"] for point in store.curves()] == [10, 20]
    assert [json.loads(line)["step"] for line in (tmp_path / "curves.jsonl").read_text().splitlines()] == [10, 20]
