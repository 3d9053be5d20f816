import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from cosec.cli.launching.processes import ENTRY
from cosec.cli.main import main
from cosec.decoding.rules.rule_file import own_rule
from cosec.training import hardening
from cosec.training.loop import run_folder
from tests.tiny import save_tiny, save_tiny_adapter
from tests.training.conftest import record


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return save_tiny("llama", tmp_path / "tiny")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(record(number)) + "\n" for number in range(6)))
    return file


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training these models; the training room's tests draw."""
    for module in (run_folder, hardening):
        monkeypatch.setattr(module, "plots_available", lambda: False)


def arguments(tiny: Path, pairs: Path, out: Path, *more: str) -> list[str]:
    """A run of three steps; ``more`` replaces or adds flags."""
    flags = {"--base": str(tiny), "--pairs": str(pairs), "--out": str(out), "--max-tokens": "64", "--cwe-floor": "0"}
    flags |= {"--epochs": "1", "--validation-share": "0"} | dict(zip(more[::2], more[1::2], strict=True))
    return ["tune", *itertools.chain(*flags.items())]


def test_tune_writes_an_adapter_that_names_its_base_and_settings(tiny, pairs, tmp_path, capsys) -> None:
    assert main(arguments(tiny, pairs, tmp_path / "out", "--method", "cosec", "--lora-rank", "2")) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["method"] == "cosec"
    assert manifest["settings"]["kl_direction"] == "forward"
    assert manifest["settings"]["lora_rank"] == 2
    assert manifest["base_model"]["name"] == str(tiny)
    assert manifest["steps"] == 3
    weights = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {value.shape[0] for name, value in weights.items() if "lora_A" in name} == {2}
    assert "done after 3 steps" in capsys.readouterr().out


def test_the_adapter_loads_as_the_security_model_of_its_base(tiny, pairs, tmp_path) -> None:
    from cosec.models.loading.load import load_pair

    assert main(arguments(tiny, pairs, tmp_path / "out")) == 0
    pair = load_pair(str(tiny), str(tmp_path / "out"))
    assert pair.security is None
    loaded = pair.adapter
    assert loaded is not None
    assert loaded.path == tmp_path / "out"


def test_a_finished_run_is_resumed_but_not_overwritten(tiny, pairs, tmp_path, capsys) -> None:
    again = arguments(tiny, pairs, tmp_path / "out")
    assert main(again) == 0
    assert main(again) == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert main([*again, "--resume"]) == 0


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--lora-rnk", "3"], "--lora-rank"),
        (["--lora-rank", "0"], "greater than or equal to 1"),
        (["--recipe", "nope"], "No recipe 'nope'"),
        (["--pairs", "nowhere"], "No pairs at nowhere"),
        (["--base", "nowhere"], "nowhere"),
        (["--max-tokens", "4096"], "longer than the context"),
        (["--method", "prefix", "--max-tokens", "125"], "behind a prefix of 8 is longer than the context"),
        (["--method", "prefix", "--lora-rank", "4"], "The method prefix has no lora_rank"),
        (["--lora-targets", "missing_proj"], "missing_proj"),
        (["--processes", "3"], "between 1 and --batch-size (2)"),
    ],
)
def test_bad_usage_is_one_clear_line(tiny, pairs, tmp_path, capsys, more: list[str], complaint: str) -> None:
    assert main(arguments(tiny, pairs, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert len(error.splitlines()) == 1


def test_pairs_are_read_before_the_base_is_loaded(tiny, pairs, tmp_path, capsys) -> None:
    pairs.write_text("{")
    assert main(arguments(Path("no-such-base"), pairs, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "pairs.jsonl:1 is not a JSON object" in error
    assert "no-such-base" not in error


def test_resuming_where_nothing_is_is_one_clear_line(tiny, pairs, tmp_path, capsys) -> None:
    assert main([*arguments(tiny, pairs, tmp_path / "out"), "--resume"]) == 2
    assert "Nothing to resume" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_matplotlib_is_mentioned_and_harms_nothing(tiny, pairs, tmp_path, capsys) -> None:
    assert main(arguments(tiny, pairs, tmp_path / "out", "--max-steps", "1")) == 0
    assert "no curves.png: matplotlib is missing" in capsys.readouterr().out
    assert (tmp_path / "out" / "curves.jsonl").exists()


def test_an_adapter_is_not_a_base(tiny, pairs, tmp_path, capsys) -> None:
    adapter = save_tiny_adapter(tiny, tmp_path / "adapter")
    assert main(arguments(adapter, pairs, tmp_path / "out")) == 2
    assert "is an adapter; --base needs a full model" in capsys.readouterr().err


def test_a_run_starts_from_an_adapter_of_the_same_base(tiny, pairs, tmp_path, capsys) -> None:
    first = save_tiny_adapter(tiny, tmp_path / "first")
    (first / "rule.toml").write_text('# measured\n[rule]\nname = "steer"\nstrength = 1.5\n')
    assert main(arguments(tiny, pairs, tmp_path / "out", "--start-from", str(first))) == 0
    assert own_rule(tmp_path / "out") == {"name": "steer", "strength": 1.5}
    assert "measured" not in (tmp_path / "out" / "rule.toml").read_text()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["started_from"]["name"] == str(first)
    assert manifest["settings"]["lora_rank"] == 4
    assert main(arguments(tiny, pairs, tmp_path / "other", "--start-from", str(first), "--lora-rank", "2")) == 2
    assert "leave out --lora-rank" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["nowhere", "tiny"])
def test_a_start_that_is_no_adapter_is_one_clear_line(tiny, pairs, tmp_path, capsys, place: str) -> None:
    assert main(arguments(tiny, pairs, tmp_path / "out", "--start-from", str(tmp_path / place))) == 2
    error = capsys.readouterr().err
    assert place in error
    assert len(error.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_clear_line(tiny, pairs, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(arguments(tiny, pairs, tmp_path / "file" / "out")) == 2
    assert "Cannot make the folder" in capsys.readouterr().err


def start(command: list[str]) -> "subprocess.Popen[str]":
    program = [sys.executable, "-c", ENTRY, *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_ctrl_c_saves_and_the_same_command_goes_on(tiny, pairs, tmp_path, processes: str) -> None:
    long = ["--epochs", "10", "--processes", processes]
    command = arguments(tiny, pairs, tmp_path / "out", *long)
    run = start(command)
    deadline = time.monotonic() + 200
    checkpoints = tmp_path / "out" / "checkpoints"
    while run.poll() is None and not list(checkpoints.glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    output, error = run.communicate(timeout=200)
    assert run.returncode == 130, error
    assert "to continue, run the command again with --resume" in output
    assert "Traceback" not in error
    resumed = start([*command, "--resume"])
    output, error = resumed.communicate(timeout=280)
    assert resumed.returncode == 0, error
    assert "done after 50 steps" in output
