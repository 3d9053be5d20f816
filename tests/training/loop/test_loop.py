"""Several processes take the same steps as one: same batches, same dropout, gradients added up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from cosec.training import hardening
from cosec.training.loop import run_folder
from tests.training.conftest import curve_points, record
from tests.training.tiny_run import run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path, write_pairs: Any) -> Path:
    """Seven pairs: the last batch of an epoch holds one example, so one of two processes has nothing to do in it."""
    write_pairs("set/train/a.jsonl", [record(number) for number in range(7)])
    write_pairs("set/val/a.jsonl", [record(number) for number in (7, 8, 9)])
    return tmp_path / "set"


@pytest.fixture
def one_process(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of the same run in one process."""
    for module in (run_folder, hardening):
        monkeypatch.setattr(module, "plots_available", lambda: False)
    return run(data, tmp_path / "one").folder


def run_forked(data: Path, out: Path) -> None:
    """The body of a forked process: forget the parent's state, keep off its threads, train."""
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    run(data, out)


def assert_same_run(one: Path, two: Path) -> None:
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (one, two))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert curve_points(one) == curve_points(two)
    assert json.loads((two / "manifest.json").read_text())["processes"] == 2


def test_two_processes_give_the_same_weights_as_one(data, tmp_path, one_process) -> None:
    debug_launcher(run_forked, args=(data, tmp_path / "two"), num_processes=2)
    assert_same_run(one_process, tmp_path / "two")


@pytest.mark.slow
def test_accelerate_launch_gives_the_same_weights_as_one_process(data, tmp_path, one_process) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    program = ["-m", "tests.training.tiny_run", str(data), str(tmp_path / "two")]
    subprocess.run([*launch, *program], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, timeout=280)
    assert_same_run(one_process, tmp_path / "two")
