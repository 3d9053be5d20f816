"""On a CUDA device a run learns what it learns on a processor."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import curve_points
from tests.training.tiny_alignment import tiny_pair, write_documents

REPOSITORY = Path(__file__).parents[2]


def curves(data: Path, out: Path, devices: str | None, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The curves of a run in a process of its own, which sees these CUDA devices; None: all."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])}
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = devices
    command = [sys.executable, "-m", "tests.training.tiny_alignment", str(data), str(out), json.dumps(settings)]
    subprocess.run(command, check=True, env=environment, cwd=REPOSITORY, capture_output=True)
    return curve_points(out)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "settings", [{}, {"train": "lora", "lora_dropout": 0.0}, {"gradient_checkpointing": True}], ids=str
)
def test_a_gpu_and_a_processor_draw_the_same_curves(tmp_path: Path, settings: dict[str, Any]) -> None:
    tiny_pair(tmp_path / "student-llama")
    data = write_documents(tmp_path / "data.jsonl")
    there = curves(data, tmp_path / "gpu", None, settings)
    here = curves(data, tmp_path / "processor", "", settings)
    assert [point["step"] for point in there] == [point["step"] for point in here]
    for one, other in zip(there, here, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)
