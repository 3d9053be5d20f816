"""A run that SIGKILL ends at any moment, in processes of its own, resumes to the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosec.cli.launching.processes import group_environment
from tests.training.alignment.test_align import weights
from tests.training.conftest import curve_points
from tests.training.test_hardening import assert_same_weights
from tests.training.tiny_alignment import tiny_pair, write_documents

REPOSITORY = Path(__file__).parents[2]
STEPS = 60

SETTINGS = {"packing": False, "epochs": 20, "max_steps": STEPS, "checkpoint_minutes": 1e-9}
"""A checkpoint after every step, so that a kill often falls into the writing of one."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "data.jsonl")


def start(data: Path, out: Path, processes: int) -> "list[subprocess.Popen[bytes]]":
    """One process, or several that divide the weights."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])}
    settings = {**SETTINGS, "sharding": "fsdp" if processes > 1 else "none"}
    command = [sys.executable, "-m", "tests.training.tiny_alignment", str(data), str(out), json.dumps(settings)]
    group = group_environment(processes) if processes > 1 else {}
    return [
        subprocess.Popen(
            command,
            env={**environment, **group, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if group else {})},
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
        )
        for rank in range(processes)
    ]


def kill(group: "list[subprocess.Popen[bytes]]") -> None:
    for process in group:
        process.send_signal(signal.SIGKILL)


def steps_done(out: Path) -> int:
    return max((int(folder.name[5:]) for folder in (out / "checkpoints").glob("step-*")), default=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_with_sigkill_again_and_again_ends_in_the_same_bits(data, tmp_path, processes: int) -> None:
    stream = random.Random(os.environ.get("COSEC_TEST_SEED", "0"))
    tiny_pair(tmp_path / "student-llama")  # written before several processes look for it
    assert [process.wait() for process in start(data, tmp_path / "whole", processes)] == [0] * processes
    kills, aims = 0, sorted(stream.sample(range(1, STEPS - 5), 6))
    while True:
        group = start(data, tmp_path / "killed", processes)
        while any(process.poll() is None for process in group):
            if kills < len(aims) and steps_done(tmp_path / "killed") >= aims[kills]:
                # Anywhere inside a step or a checkpoint.
                time.sleep(stream.random() * 0.1)
                kill(group)
                break
            time.sleep(0.005)
        codes = [process.wait() for process in group]
        if codes[0] == -signal.SIGKILL:
            kills += 1
            assert steps_done(tmp_path / "killed") < STEPS
            continue
        assert codes == [0] * processes
        break
    assert kills == len(aims)
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert curve_points(tmp_path / "whole") == curve_points(tmp_path / "killed")
