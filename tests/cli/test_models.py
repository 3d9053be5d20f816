"""``cosec models`` prints what scripts read."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosec.cli import models as models_module
from cosec.cli.main import main
from cosec.models.loading import bundled, quantised
from tests.tiny import save_tiny, save_tiny_adapter

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cosec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process; gives exit code, standard output and standard error."""
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr("sys.warnoptions", ["error"])

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def shown(cosec: Command, name: str) -> dict[str, Any]:
    code, output, _ = cosec("models", "show", name, "--format", "json")
    assert code == 0
    facts: dict[str, Any] = json.loads(output)
    return facts


def test_show_prints_one_json_object(cosec: Command, tmp_path: Path) -> None:
    folder = save_tiny("qwen2", tmp_path / "model", head_width=336)
    facts = shown(cosec, str(folder))
    assert facts["name"] == str(folder)
    assert facts["path"] == str(folder)
    assert facts["security_path"] is None
    assert facts["family"] == "qwen2.5-coder"
    assert (facts["vocabulary"], facts["head_width"], facts["context_length"]) == (320, 336, 128)
    assert facts["parameters"] > 10_000


def test_show_names_folders_that_transformers_and_peft_load(
    cosec: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM

    folder = save_tiny("llama", tmp_path / "model")
    adapter = save_tiny_adapter(folder, tmp_path / "adapter")
    monkeypatch.setattr(bundled, "shipped_adapter", lambda name: adapter)
    monkeypatch.chdir(tmp_path)
    facts = shown(cosec, "model")
    assert facts["path"] == str(folder), "a script may run elsewhere"
    assert facts["security_path"] == str(adapter)
    assert AutoModelForCausalLM.from_pretrained(facts["path"]).config.model_type == "llama"
    from peft import PeftConfig

    assert PeftConfig.from_pretrained(facts["security_path"]).peft_type == "LORA"


def test_show_prints_lines_for_people(cosec: Command, tmp_path: Path) -> None:
    code, output, _ = cosec("models", "show", str(save_tiny("llama", tmp_path / "model")))
    assert code == 0
    assert "family          deepseek-coder" in output
    assert "security path   none" in output


def test_show_of_a_missing_model_is_one_line(cosec: Command) -> None:
    code, output, errors = cosec("models", "show", "smollm2-135m")
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert "cosec models pull smollm2-135m" in errors


def test_show_of_a_model_in_the_home_folder_of_no_user_is_one_line(cosec: Command) -> None:
    code, output, errors = cosec("models", "show", "~nosuchuser/m")
    assert (code, output) == (2, "")
    assert errors.startswith("cosec: error: There is no model '~nosuchuser/m'")
    assert errors.count("\n") == 1


def test_list_tells_what_is_fetched_and_what_ships(cosec: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "shipped_adapter", lambda name: None)
    code, output, _ = cosec("models", "list", "--format", "json")
    assert code == 0
    listed = json.loads(output)
    assert listed["embedded"][0]["name"] == "smollm2-135m"
    assert listed["embedded"][0]["pulled"] is False
    assert {family["name"] for family in listed["families"]} >= {"codegen", "starcoderbase", "qwen2.5-coder"}
    assert all("/" in family["teacher"] and "/" in family["student"] for family in listed["families"])


def test_list_prints_hub_ids_whole(cosec: Command) -> None:
    code, output, _ = cosec("models", "list")
    assert code == 0
    assert "no: cosec models pull smollm2-135m" in output
    assert "deepseek-ai/deepseek-coder-6.7b-base" in output


def test_pull_keeps_standard_output_for_results(
    cosec: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(name: str, report: Callable[[str], None], *, convert: bool) -> Path:
        report(f"Fetching {name} ...")
        return tmp_path / ("folder" if convert else "file")

    read: list[str] = []
    monkeypatch.setattr(bundled, "pull", pull)
    monkeypatch.setattr(quantised, "load_gguf", read.append)
    for flag, kind, prepared in (("--convert", "folder", []), ("--no-convert", "file", ["smollm2-135m"])):
        code, output, errors = cosec("models", "pull", "smollm2-135m", flag)
        assert (code, output, read) == (0, "", prepared)
        lines = errors.splitlines()
        assert (lines[0], lines[-1]) == ("Fetching smollm2-135m ...", f"smollm2-135m is ready: {tmp_path / kind}")


def test_pull_also_fetches_the_model_that_the_shipped_adapter_belongs_to(
    cosec: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "pull", lambda name, report, convert: tmp_path)
    for adapter, fetched in ((tmp_path, ["qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"]), (None, ["qwen2.5-coder-1.5b"])):
        monkeypatch.setattr(bundled, "shipped_adapter", lambda name, adapter=adapter: adapter)
        _, _, errors = cosec("models", "pull", "qwen2.5-coder-1.5b", "--convert")
        assert errors.splitlines() == [f"{name} is ready: {tmp_path}" for name in fetched]


def test_remove_tells_when_there_is_nothing(cosec: Command) -> None:
    code, output, errors = cosec("models", "remove", "smollm2-135m")
    assert (code, output, errors) == (0, "", "smollm2-135m is not on this machine\n")


def test_pull_of_an_unknown_name_is_one_line(cosec: Command) -> None:
    code, _, errors = cosec("models", "pull", "gpt-9")
    assert code == 2
    names = "qwen2.5-coder-0.5b, qwen2.5-coder-1.5b, smollm2-135m"
    assert errors == f"cosec: error: There is no embedded model 'gpt-9'; there are: {names}.\n"


@pytest.mark.parametrize(("layers", "kept"), [("3", [0, 2, 4]), ("0,1,4", [0, 1, 4])])
def test_prune_makes_a_model_with_the_layers_asked_for(
    cosec: Command, tmp_path: Path, layers: str, kept: list[int]
) -> None:
    folder = save_tiny("llama", tmp_path / "model", layers=5)
    code, output, errors = cosec("models", "prune", str(folder), "--layers", layers, "--out", str(tmp_path / "small"))
    assert (code, output) == (0, "")
    assert f"3 layers of {folder}: {', '.join(map(str, kept))}" in errors
    assert shown(cosec, str(tmp_path / "small"))["parameters"] < shown(cosec, str(folder))["parameters"]


@pytest.mark.parametrize("layers", ["many", "0,x", "1", "9", "3,1"])
def test_prune_refuses_layers_that_make_no_sense(cosec: Command, tmp_path: Path, layers: str) -> None:
    folder = save_tiny("llama", tmp_path / "model", layers=5)
    code, _, errors = cosec("models", "prune", str(folder), "--layers", layers, "--out", str(tmp_path / "small"))
    assert code == 2
    assert errors.count("\n") == 1
    assert "--layers" in errors


def test_prune_into_the_current_folder_is_refused(
    cosec: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny("llama", tmp_path / "model", layers=3)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    code, _, errors = cosec("models", "prune", str(folder), "--layers", "2", "--out", ".")
    assert (code, errors.count("\n")) == (2, 1)
    assert "name a new folder in it with --out" in errors
    assert list(Path().iterdir()) == []


@pytest.mark.embedded
def test_the_embedded_model_is_shown_with_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    models_module.show("smollm2-135m", format="json")
    facts = json.loads(capsys.readouterr().out)
    assert facts["family"] == "smollm2"
    assert facts["parameters"] == 134_515_008
    assert (facts["vocabulary"], facts["context_length"]) == (49_152, 8192)
    assert (Path(facts["path"]) / "model.safetensors").is_file()
