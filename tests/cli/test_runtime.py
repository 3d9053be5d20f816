"""Every verb that decodes runs GGUF files in llama.cpp, and says what it cannot do in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.cli import bench
from cosec.cli.main import main
from cosec.evaluation import runtime_speed
from cosec.models.loading.gguf_header import read_header
from cosec.runtime import llama_cpp_is_installed
from tests.models.gguf_pair import GgufFiles, gguf_files

PROMPT = "def read(path, name):\n    with open("
needs_llama_cpp = pytest.mark.skipif(
    not llama_cpp_is_installed(), reason="llama-cpp-python is not installed (cosec[llama])"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return gguf_files(tmp_path_factory.mktemp("files"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


@needs_llama_cpp
def test_generate_gives_many_of_the_same_texts_in_both_runtimes(
    files: GgufFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["generate", "--target", files.target, "--security", files.adapter, "--prompt", PROMPT, "--n", "8"]
    texts = {}
    for runtime in ("auto", "torch"):
        out = printed(capsys, *common, "--max-new-tokens", "12", "--format", "json", "--runtime", runtime)
        rows = sorted((json.loads(line) for line in out.splitlines()), key=lambda row: row["sample_index"])
        texts[runtime] = [row["completion"] for row in rows]
    assert sum(one == other for one, other in zip(*texts.values(), strict=True)) >= 3


@needs_llama_cpp
def test_doctor_examines_what_llama_cpp_would_run(files: GgufFiles, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "doctor", files.target, files.adapter)
    subjects = [line.split()[1] for line in out.splitlines()]
    assert subjects == ["choice", "runtime", "target", "adapter", "rule", "memory", "law"]
    assert "read at once, in pieces and after a rollback" in out
    assert all(line.startswith("ok") for line in out.splitlines())


@needs_llama_cpp
def test_doctor_tells_what_does_not_fit(files: GgufFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(Path(files.target).read_bytes()[:1000])
    with pytest.raises(SystemExit):
        main(["doctor", str(damaged), "none"])
    assert "FAIL runtime     " in capsys.readouterr().out


@needs_llama_cpp
def test_speed_is_measured_with_two_passes(
    files: GgufFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_check_speed", lambda *size: None)  # that is too short to say anything
    flags = ["--target", files.target, "--security", files.adapter, "--batch", "2", "--rounds", "3", "--tokens", "8"]
    record = json.loads(printed(capsys, "bench", "speed", *flags, "--runtime", "llama.cpp", "--format", "json"))
    assert [row["mode"] for row in record["pairs"]] == ["two-models", "two-models"]
    (alone,) = record["library"]
    assert alone["batch"] == 2
    assert min(alone["library_ms"], alone["engine_ms"], alone["ratio"]) > 0


def test_export_writes_a_file_and_needs_a_format(
    files: GgufFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "adapter.gguf"
    assert main(["models", "export", files.adapter, "--gguf", "--out", str(out)]) == 0
    assert read_header(out).is_adapter
    capsys.readouterr()
    again = refusal(capsys, "models", "export", files.adapter, "--gguf", "--out", str(out))
    assert "exists: name another file, or remove it" in again
    out.unlink()
    assert "Name the format to write: --gguf" in refusal(capsys, "models", "export", files.adapter, "--out", str(out))
    assert "is not an adapter folder" in refusal(capsys, "models", "export", "nothing", "--gguf", "--out", str(out))


def test_quantise_says_that_there_is_no_such_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "small.gguf")
    assert "There is no model 'nothing'" in refusal(capsys, "models", "quantise", "nothing", "--out", out)
    told = refusal(capsys, "models", "quantise", "organisation/model", "--out", out)
    assert "neither: name one of these" in told
    assert "--runtime" not in told


def test_what_a_runtime_cannot_do_is_refused(files: GgufFiles, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["generate", "--target", files.target, "--security", "none", "--prompt", "x", "--runtime", "llama.cpp"]
    assert "--dtype and --device-map have no effect" in refusal(capsys, *common, "--dtype", "float32")
    shape = str(Path(files.adapter).parent / "shape")
    common[2] = shape
    assert "name one of these, or run it in torch" in refusal(capsys, *common)


@needs_llama_cpp
def test_a_quantised_copy_is_a_security_model(
    files: GgufFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.gguf"
    printed(capsys, "models", "quantise", files.security, "--out", str(out))
    common = ["generate", "--target", files.target, "--security", str(out), "--prompt", PROMPT, "--format", "json"]
    assert json.loads(printed(capsys, *common, "--max-new-tokens", "4"))["completion"]
    assert "exists: name another file" in refusal(capsys, "models", "quantise", files.security, "--out", str(out))


@needs_llama_cpp
def test_auto_takes_what_a_measurement_found_and_says_so(
    files: GgufFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime_speed, "TOKENS", {1: 2, 2: 2})
    assert main(["bench", "runtime", files.target, files.adapter, "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert list(json.loads(captured.out)["milliseconds"]) == ["llama.cpp", "llama.cpp with a copy"]
    assert "Making a copy of" in captured.err
    assert "is not converted to float32 (--convert does it)" in captured.err
    assert main(["bench", "runtime", files.target, files.adapter, "--convert"]) == 0
    captured = capsys.readouterr()
    assert [line.split(" │ ")[0].strip("│ ") for line in captured.out.splitlines() if " ms " in line] == [
        "llama.cpp",
        "llama.cpp with a copy",
        "torch",
    ]
    assert "Making a copy of" not in captured.err
    common = ["generate", "--target", files.target, "--security", files.adapter, "--prompt", PROMPT]
    common += ["--max-new-tokens", "4", "--format", "json"]
    assert main(common) == 0
    assert "for 1 at once, a token of each: llama.cpp " in capsys.readouterr().err
    assert main([*common, "--runtime", "torch"]) == 0
    assert capsys.readouterr().err == ""


@needs_llama_cpp
def test_a_security_copy_is_kept_and_gives_the_texts_of_the_quantised_file(
    files: GgufFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copy.gguf"
    printed(capsys, "models", "quantise", files.target, "--adapter", files.adapter, "--out", str(out))
    common = ["generate", "--target", files.target, "--prompt", PROMPT, "--max-new-tokens", "8", "--format", "json"]
    common += ["--rule", "steer", "--security"]
    expected = json.loads(printed(capsys, *common, str(out)))["completion"]
    for made in (True, False):
        assert main([*common, files.adapter, "--security-copy"]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["completion"] == expected
        assert ("Making a copy of" in captured.err) == made
    assert "needs an adapter that was made for the target" in refusal(
        capsys, *common, files.other_adapter, "--security-copy"
    )
