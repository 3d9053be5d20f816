"""llama.cpp runs what is a GGUF file, unless something is asked for that it does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosec import runtime
from cosec.decoding.runtime_choice import choose_runtime
from cosec.errors import SettingsError
from tests.models.gguf_pair import GgufFiles, gguf_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return gguf_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "llama_cpp_is_installed", lambda: True)


def test_gguf_models_and_adapters_on_them_run_in_llama_cpp(files: GgufFiles) -> None:
    for security in (files.security, files.adapter, files.other_adapter, "none"):
        assert choose_runtime(files.target, security) == "llama.cpp"


def test_anything_else_runs_in_torch(files: GgufFiles) -> None:
    shape = str(Path(files.adapter).parent / "shape")
    assert choose_runtime(shape, "none") == "torch"
    assert choose_runtime(files.target, shape) == "torch"


@pytest.mark.parametrize("asked", [{"dtype": "bfloat16"}, {"device_map": "auto"}, {"runtime": "torch"}])
def test_a_number_format_a_device_or_the_user_decides_for_torch(files: GgufFiles, asked: dict[str, str]) -> None:
    assert choose_runtime(files.target, "none", **asked) == "torch"
    assert choose_runtime(files.target, "none", device_map="cpu") == "llama.cpp"


def test_without_the_package_torch_runs_gguf_files(files: GgufFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "llama_cpp_is_installed", lambda: False)
    assert choose_runtime(files.target, files.adapter) == "torch"


def test_what_llama_cpp_ignores_is_refused(files: GgufFiles) -> None:
    for asked in ({"dtype": "float32"}, {"device_map": "cuda"}):
        with pytest.raises(SettingsError, match="have no effect with --runtime llama"):
            choose_runtime(files.target, "none", runtime="llama.cpp", **asked)
    with pytest.raises(SettingsError, match=r"'ollama' is not one of auto, torch, llama\.cpp"):
        choose_runtime(files.target, "none", runtime="ollama")
