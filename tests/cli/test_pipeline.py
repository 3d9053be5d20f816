"""``cosec pipeline`` on tiny models; its stages run in the test's process, which has torch imported already."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosec.cli.launching import processes
from cosec.cli.main import main
from tests.tiny import save_tiny
from tests.training.conftest import record

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    teacher = save_tiny("llama", tmp_path / "teacher", layers=3)
    data, pairs = tmp_path / "data.jsonl", tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"instruction": f"Do {n}", "output": f"return {n}"}) + "\n" for n in range(4)))
    pairs.write_text("".join(json.dumps(record(number)) + "\n" for number in range(3)))
    file = tmp_path / "recipe.toml"
    file.write_text(f"""
[prune]
model = "{teacher}"
layers = 2

[align]
teacher = "{teacher}"
data = ["{data}"]
max_tokens = 64
max_steps = 1
validation_share = 0
overlap_check = false

[tune]
pairs = ["{pairs}"]
max_tokens = 64
max_steps = 1
cwe_floor = 0
validation_share = 0
""")
    return file


@pytest.fixture
def stages_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str]) -> int:
        try:
            return main(command)
        except SystemExit as ended:
            return int(ended.code or 0)

    monkeypatch.setattr(processes, "run_alone", run)


def test_a_failing_stage_stops_the_pipeline_which_continues_there_and_repeats_no_stage(
    recipe, tmp_path, capfd, stages_run_here
) -> None:
    data = tmp_path / "data.jsonl"
    good = data.read_text()
    data.write_text("not JSON\n")
    command = ["pipeline", str(recipe), "--out", str(tmp_path / "out")]
    assert main([*command, "--dry-run"]) == 0
    assert "align runs: cosec align --student" in capfd.readouterr().out
    assert not (tmp_path / "out").exists()

    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert "align ended with code 2" in said.out
    assert "is not a JSON object" in said.err
    assert not (tmp_path / "out" / "adapter").exists()

    data.write_text(good)
    assert main(command) == 0
    assert "prune done already" in capfd.readouterr().out
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()

    assert main(command) == 0
    assert [line.split(":")[0] for line in capfd.readouterr().out.splitlines()] == [
        f"{name} done already" for name in ("prune", "align", "tune")
    ]


def test_a_misspelt_flag_is_found_before_anything_runs(recipe, tmp_path, capfd) -> None:
    recipe.write_text(recipe.read_text().replace("cwe_floor", "cwe_flor"))
    assert main(["pipeline", str(recipe), "--out", str(tmp_path / "out")]) == 2
    assert "--cwe-floor" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


STAGE = """
import signal, sys, time
from pathlib import Path

def save(number, frame):
    time.sleep(0.6)
    Path("saved").touch()
    sys.exit({code})

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
with open("begun", "a") as begun:
    begun.write(sys.argv[1] + " ")
time.sleep(60)
"""
"""Stands for a stage that takes a while to save when it is told to stop."""

PIPELINE = """
import sys
from cosec.cli.launching import processes
from cosec.cli.main import main
processes.ENTRY = sys.argv.pop(1)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGTERM, 0)])
def test_a_stage_has_time_to_save_when_the_pipeline_is_stopped_and_no_other_stage_begins(
    recipe, tmp_path, number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-c", PIPELINE, STAGE.format(code=code), "pipeline", str(recipe), "--out", "out"]
    begun = tmp_path / "begun"
    begun.touch()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        deadline = time.monotonic() + 60
        while not begun.read_text() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if number == signal.SIGINT:
            os.killpg(run.pid, number)  # as a terminal does
        else:
            run.send_signal(number)
        said = run.communicate(timeout=60)[0]
    assert run.returncode == 130
    assert (tmp_path / "saved").exists()
    assert begun.read_text() == "models "
    assert "prune ended with code 130; run the same command to go on" in said


def test_the_repositorys_recipe_names_flags_that_exist(tmp_path, capfd) -> None:
    assert main(["pipeline", str(REPOSITORY / "recipes" / "smollm2.toml"), "--out", str(tmp_path), "--dry-run"]) == 0
    assert capfd.readouterr().out.count(" runs: cosec ") == 5
