"""A study's identity names the runtime, and its models are those of that runtime."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cosec.decoding.runtime_timings import Timings, keep_timings
from cosec.errors import SettingsError
from cosec.evaluation.study import study_settings
from cosec.evaluation.study.generation.model_hashes import adapter_hash
from cosec.evaluation.study.generation.models import StudyModels, completion_source
from cosec.models.adapters import read_adapter
from cosec.models.identity import file_sha256
from cosec.models.loading.quantised import GgufAdapter
from cosec.runtime import llama_cpp_is_installed, machine_facts
from tests.models.gguf_pair import GgufFiles, gguf_files
from tests.tiny import save_tiny, save_tiny_adapter


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return gguf_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


def models(files: GgufFiles, **runtime: str) -> StudyModels:
    settings = study_settings(
        {
            "target": files.target,
            "security": files.other_adapter,
            "arms": ("origin", "gate"),
            "benchmarks": ({"name": "security", "samples": 1, "max_new_tokens": 4},),
        }
    )
    return StudyModels(settings, dtype="auto", device_map=None, rows=4, **runtime)  # type: ignore[arg-type]


@pytest.mark.skipif(not llama_cpp_is_installed(), reason="llama-cpp-python is not installed (cosec[llama])")
def test_a_study_in_llama_cpp_is_identified_by_its_files(files: GgufFiles) -> None:
    hashes = models(files, runtime="llama.cpp").hashes
    assert list(hashes) == ["runtime", "target", "security", "adapter"]
    assert hashes["runtime"] == "llama.cpp"
    assert hashes["target"] == file_sha256(Path(files.target))
    assert hashes["adapter"] == file_sha256(Path(files.other_adapter) / "adapter_model.safetensors")


def test_a_study_runs_in_torch_unless_it_is_told_otherwise(files: GgufFiles) -> None:
    assert list(models(files).hashes) == ["target", "security", "adapter"]


def test_a_chat_is_refused_before_any_arm_begins_if_the_target_has_no_template(tmp_path: Path) -> None:
    base = save_tiny("llama", tmp_path / "base")
    study = study_settings(
        {
            "target": str(base),
            "security": str(save_tiny_adapter(base, tmp_path / "adapter")),
            "arms": ("origin", "gate"),
            "benchmarks": ({"name": "asked", "samples": 1, "max_new_tokens": 4, "format": "chat"},),
        }
    )
    with pytest.raises(SettingsError, match="The benchmark 'asked' is a chat, but the target has no chat template"):
        completion_source(study, rows=2)
    (base / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert completion_source(study, rows=2).hashes


@pytest.mark.skipif(not llama_cpp_is_installed(), reason="llama-cpp-python is not installed (cosec[llama])")
def test_auto_takes_one_runtime_by_what_was_measured_for_so_many_rows(files: GgufFiles) -> None:
    assert "runtime" in models(files, runtime="auto").hashes
    timings = Timings(
        target=files.target,
        security=files.other_adapter,
        rule="threshold",
        machine=machine_facts(),
        measured="2026-01-31",
        milliseconds={"llama.cpp": {1: 10, 4: 50}, "llama.cpp with a copy": {1: 5, 4: 10}, "torch": {1: 30, 4: 30}},
        torch_bytes=0,
    )
    keep_timings(timings, files.target, files.other_adapter)
    assert "runtime" not in models(files, runtime="auto").hashes
    assert "runtime" in models(files, runtime="llama.cpp").hashes


@pytest.mark.parametrize("kind", ["folder", "converted"])
def test_another_scale_is_another_adapter(files: GgufFiles, tmp_path: Path, kind: str) -> None:
    def identity(name: str, alpha: float) -> str:
        folder = shutil.copytree(files.adapter, tmp_path / name)
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": alpha * config["r"]}))
        if kind == "folder":
            return adapter_hash(read_adapter(folder))
        return adapter_hash(GgufAdapter(path=folder, file=tmp_path / "unused.gguf"))

    usual = identity("usual", 2.0)
    assert usual == file_sha256(Path(files.adapter) / "adapter_model.safetensors")
    assert identity("same", 2.0) == usual
    assert identity("larger", 3.0).startswith(f"{usual}*")
    assert identity("smaller", 1.0) not in (usual, identity("larger again", 3.0))
