"""The adapter of an aligned student adds to the student what alignment changed."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.benchmarks.conftest import Script
from tests.benchmarks.test_shrink_adapter import updates
from tests.tiny import save_tiny


def aligned(student: Path, folder: Path, change: float) -> Path:
    """A copy of a student in which a change of rank 1 was added to one weight."""
    model = AutoModelForCausalLM.from_pretrained(student)
    with torch.no_grad():
        model.model.layers[1].self_attn.k_proj.weight += change
    model.save_pretrained(folder)
    (folder / "manifest.json").write_text("{}")
    return folder


@pytest.mark.parametrize("rank", [2, 24])
def test_a_student_in_several_files_is_compared_whole(script: Script, tmp_path: Path, rank: int) -> None:
    student = save_tiny("llama", tmp_path / "student")
    run = aligned(student, tmp_path / "run", 0.1)
    AutoModelForCausalLM.from_pretrained(student).save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    (student / "model.safetensors").unlink()
    for part in (tmp_path / "parts").glob("model*"):
        shutil.move(part, student)
    assert len(list(student.glob("*.safetensors"))) > 1
    script("adapter_of_student", run, student, tmp_path / "out", "--rank", rank)
    (update,) = updates(tmp_path / "out").values()
    torch.testing.assert_close(update, torch.full((16, 32), 0.1), atol=1e-3, rtol=0)


def test_a_run_that_changed_nothing_is_named_and_nothing_is_written(script: Script, tmp_path: Path) -> None:
    student = save_tiny("llama", tmp_path / "student")
    with pytest.raises(SystemExit, match="ALIGNED equals STUDENT"):
        script("adapter_of_student", aligned(student, tmp_path / "run", 0), student, tmp_path / "out")
    assert not (tmp_path / "out").exists()
