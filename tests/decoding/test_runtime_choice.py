"""llama.cpp runs what is a GGUF file, unless another way was measured to be faster or it cannot do what is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosec import runtime
from cosec.decoding.runtime_choice import choose_runtime
from cosec.decoding.runtime_timings import Timings, keep_timings
from cosec.errors import SettingsError
from cosec.models.loading import host_memory
from cosec.runtime.machine import machine_facts
from tests.models.gguf_pair import GgufFiles, gguf_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return gguf_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "llama_cpp_is_installed", lambda: True)


def test_gguf_models_and_adapters_on_them_run_in_llama_cpp(files: GgufFiles) -> None:
    for security in (files.security, files.adapter, files.other_adapter, "none"):
        assert choose_runtime(files.target, security).name == "llama.cpp"


def test_anything_else_runs_in_torch(files: GgufFiles) -> None:
    shape = str(Path(files.adapter).parent / "shape")
    assert choose_runtime(shape, "none").name == "torch"
    assert choose_runtime(files.target, shape).name == "torch"


@pytest.mark.parametrize("asked", [{"dtype": "bfloat16"}, {"device_map": "auto"}, {"runtime": "torch"}])
def test_a_number_format_a_device_or_the_user_decides_for_torch(files: GgufFiles, asked: dict[str, str]) -> None:
    assert choose_runtime(files.target, "none", **asked).name == "torch"
    assert choose_runtime(files.target, "none", device_map="cpu").name == "llama.cpp"


def test_without_the_package_torch_runs_gguf_files(files: GgufFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "llama_cpp_is_installed", lambda: False)
    assert choose_runtime(files.target, files.adapter).name == "torch"


def test_what_llama_cpp_ignores_is_refused(files: GgufFiles) -> None:
    for asked in ({"dtype": "float32"}, {"device_map": "cuda"}):
        with pytest.raises(SettingsError, match="have no effect with --runtime llama"):
            choose_runtime(files.target, "none", runtime="llama.cpp", **asked)
    with pytest.raises(SettingsError, match=r"'ollama' is not one of auto, torch, llama\.cpp"):
        choose_runtime(files.target, "none", runtime="ollama")


def measured(files: GgufFiles, **milliseconds: dict[int, float]) -> None:
    """Keep a measurement of the target with its adapter, with keyword names for ways."""
    names = {"plain": "llama.cpp", "copy": "llama.cpp with a copy", "torch": "torch"}
    timings = Timings(
        target=files.target,
        security=files.adapter,
        rule="steer",
        machine=machine_facts(),
        measured="2026-01-31",
        milliseconds={names[way]: times for way, times in milliseconds.items()},
        torch_bytes=2000,
    )
    keep_timings(timings, files.target, files.adapter)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path))


@pytest.mark.usefixtures("own_cache")
def test_the_faster_runtime_at_so_many_rows_is_chosen(files: GgufFiles) -> None:
    assert "cosec bench runtime" in choose_runtime(files.target, files.adapter).reason
    measured(files, plain={1: 40, 4: 90, 16: 400}, copy={1: 25, 4: 20, 16: 30}, torch={1: 120, 4: 85, 16: 200})
    chosen = {rows: choose_runtime(files.target, files.adapter, rows=rows) for rows in (1, 4, 7, 9, 48)}
    # A gain below a tenth may be noise, so four rows stay in llama.cpp; and no time makes another model the default.
    assert [one.name for one in chosen.values()] == ["llama.cpp", "llama.cpp", "llama.cpp", "torch", "torch"]
    assert chosen[48].reason == "measured on 2026-01-31 for 48 at once, a token of each: llama.cpp 400 ms, torch 200 ms"
    assert not choose_runtime(files.target, files.other_adapter, rows=48).measured


@pytest.mark.usefixtures("own_cache")
def test_the_user_decides_over_a_measurement(files: GgufFiles) -> None:
    measured(files, plain={1: 40}, torch={1: 20})
    assert choose_runtime(files.target, files.adapter).name == "torch"
    assert choose_runtime(files.target, files.adapter, runtime="llama.cpp").name == "llama.cpp"
    assert choose_runtime(files.target, files.adapter, security_copy=True).name == "llama.cpp"
    with pytest.raises(SettingsError, match=r"--security-copy is for llama\.cpp"):
        choose_runtime(files.target, files.adapter, runtime="torch", security_copy=True)


@pytest.mark.usefixtures("own_cache")
def test_torch_is_not_chosen_without_memory_for_its_weights(files: GgufFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(files, plain={1: 40}, torch={1: 20})
    monkeypatch.setattr(host_memory, "free_memory", lambda: 1000)
    chosen = choose_runtime(files.target, files.adapter)
    assert chosen.name == "llama.cpp"
    assert "torch needs 0.0 GB of memory" in chosen.reason


@pytest.mark.usefixtures("own_cache")
def test_a_measurement_counts_for_its_machine_and_its_files_only(
    files: GgufFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(files, plain={1: 40}, torch={1: 20})
    assert choose_runtime(files.target, files.adapter).measured
    other = tmp_path / "other.gguf"
    other.write_bytes(Path(files.target).read_bytes() + bytes(32))
    assert not choose_runtime(str(other), files.adapter).measured
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert not choose_runtime(files.target, files.adapter).measured


@pytest.mark.usefixtures("own_cache")
def test_a_damaged_measurement_is_none(files: GgufFiles, tmp_path: Path) -> None:
    measured(files, plain={1: 40}, torch={1: 20})
    (file,) = (tmp_path / "runtimes").iterdir()
    file.write_text("{")
    assert not choose_runtime(files.target, files.adapter).measured
