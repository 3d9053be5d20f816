"""``accelerate launch`` with two processes: tune and align share each batch and end with the weights of one process."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.tiny import save_tiny
from tests.training.conftest import record

pytestmark = pytest.mark.slow

COSEC = str(Path(sys.executable).with_name("cosec"))
LAUNCH = [str(Path(sys.executable).with_name("accelerate")), "launch", "--cpu", "--num_processes", "2"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH += ["--num_cpu_threads_per_process", "1"]


def run(command: Sequence[str]) -> str:
    """Run a command to its end; its standard output."""
    environment = {**os.environ, "COSEC_CACHE": str(Path(command[command.index("--out") + 1]).parent / "cache")}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=240)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def assert_equal_weights(one: Path, two: Path, file: str) -> None:
    """The same tensors up to the rounding of sums in another order."""
    first, second = load_file(one / file), load_file(two / file)
    assert first.keys() == second.keys()
    for name, values in first.items():
        torch.testing.assert_close(values, second[name], rtol=1e-4, atol=1e-6, msg=name)


def test_tune_under_accelerate_launch_gives_the_weights_of_one_process(tmp_path: Path) -> None:
    base = save_tiny("llama", tmp_path / "base")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(record(number)) + "\n" for number in range(6)))
    flags = ["--base", str(base), "--pairs", str(pairs), "--max-tokens", "64", "--cwe-floor", "0", "--epochs", "1"]
    flags += ["--validation-share", "0", "--batch-size", "2", "--lora-dropout", "0"]
    said = run([*LAUNCH, COSEC, "tune", *flags, "--out", str(tmp_path / "two")])
    run([COSEC, "tune", *flags, "--out", str(tmp_path / "one")])
    assert_equal_weights(tmp_path / "one", tmp_path / "two", "adapter_model.safetensors")
    # Only the first process writes to the terminal.
    assert said.count("done after") == 1


def test_align_under_accelerate_launch_gives_the_weights_of_one_process(tmp_path: Path) -> None:
    teacher = save_tiny("llama", tmp_path / "teacher", layers=3)
    student = save_tiny("llama", tmp_path / "student", seed=1)
    data = tmp_path / "data.jsonl"
    texts = [{"instruction": f"Task {number}", "output": f"return {number}"} for number in range(6)]
    data.write_text("".join(json.dumps(one) + "\n" for one in texts))
    flags = ["--teacher", str(teacher), "--student", str(student), "--data", str(data), "--max-tokens", "128"]
    flags += ["--max-steps", "2", "--batch-size", "2", "--validation-share", "0"]
    said = run([*LAUNCH, COSEC, "align", *flags, "--out", str(tmp_path / "two")])
    run([COSEC, "align", *flags, "--out", str(tmp_path / "one")])
    assert_equal_weights(tmp_path / "one", tmp_path / "two", "model.safetensors")
    assert said.count("done after") == 1
