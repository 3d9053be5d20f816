"""``cosec pipeline`` on tiny models; its stages run in the test's process, which has torch imported already."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosec.cli.launching.processes import ENTRY
from cosec.cli.main import main
from cosec.version import __version__
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
    start = subprocess.run

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
        if command[:3] != [sys.executable, "-c", ENTRY]:
            return start(command, **options)
        try:
            return subprocess.CompletedProcess(command, main(command[3:]))
        except SystemExit as ended:
            return subprocess.CompletedProcess(command, int(ended.code or 0))

    monkeypatch.setattr(subprocess, "run", run)


def test_the_program_of_a_stage_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-c", ENTRY, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


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
    assert "is not JSON" in said.err
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


def test_the_repositorys_recipe_names_flags_that_exist(tmp_path, capfd) -> None:
    assert main(["pipeline", str(REPOSITORY / "recipes" / "smollm2.toml"), "--out", str(tmp_path), "--dry-run"]) == 0
    assert capfd.readouterr().out.count(" runs: cosec ") == 5
