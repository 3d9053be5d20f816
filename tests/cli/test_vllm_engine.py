"""``cosec serve --engine vllm``: what is refused before models are read, what vLLM is started with, its exit status."""

import itertools
import json
import socket
import sys
from pathlib import Path

import pytest

from cosec.cli.main import main
from cosec.vllm_plugin import VLLM_VERSION
from tests.tiny import save_tiny, save_tiny_adapter

STAND_IN = """\
#!{python}
import json, os, sys
if sys.argv[1] == "-c":
    print(json.dumps({{"vllm": "{version}", "cosec": "0.1.0", "plugins": ["cosec"]}}))
    sys.exit()
with open({record!r}, "w") as file:
    json.dump([sys.argv[1:], os.environ["PROMETHEUS_MULTIPROC_DIR"]], file)
assert os.path.isdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])
sys.exit(5)
"""
"""A Python that answers as one with vLLM, and writes down what it is asked to serve."""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    for name in ("VLLM_API_KEY", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "record.json"


@pytest.fixture
def python(record: Path, tmp_path: Path) -> str:
    path = tmp_path / "python"
    path.write_text(STAND_IN.format(python=sys.executable, version=VLLM_VERSION, record=str(record)))
    path.chmod(0o755)
    return str(path)


def test_vllm_serves_the_pair_with_the_users_options_and_its_exit_status_is_kept(
    python: str, record: Path, tmp_path: Path
) -> None:
    target = save_tiny("llama", tmp_path / "target")
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    flags = ["--target", str(target), "--security", str(adapter), "--port", "0", "--rule", "gate", "--strength", "0.2"]
    flags += ["--tensor-parallel-size", "2", "--quantization=fp8", "--", "--enforce-eager"]
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--engine", "vllm", "--vllm-python", python, *flags])
    assert ended.value.code == 5
    arguments, metrics = json.loads(record.read_text())
    values = dict(itertools.pairwise(arguments))
    assert arguments[:2] == ["-m", "cosec.vllm_plugin.server"]
    assert arguments[-4:] == ["--tensor-parallel-size", "2", "--quantization=fp8", "--enforce-eager"]
    assert values["--served-model-name"] == str(target)
    assert int(values["--port"]) > 0
    told = json.loads(values["--additional-config"])["cosec"]
    assert (told["rule"]["name"], told["rule"]["strength"], told["base"]) == ("gate", 0.2, "target")
    assert not Path(metrics).exists()


def test_models_can_be_prepared_where_vllm_is_not_installed(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = save_tiny("llama", tmp_path / "target")
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    flags = ["--target", str(target), "--security", str(adapter), "--prepare-only"]
    assert main(["serve", "--engine", "vllm", *flags]) == 0
    (written,) = (tmp_path / "cache" / "whole").iterdir()
    assert f"target {target}, security model {written}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--audit-log", "x"], "--audit-log has no effect with --engine vllm"),
        (["--runtime", "torch"], "--runtime has no effect"),
        (["--max-rows", "3"], "--max-rows has no effect"),
        (["--anti-expert", "x"], "--anti-expert has no effect"),
        (["--on-failure", "fail"], "--on-failure has no effect"),
        (["--target", "http://127.0.0.1:1/v1"], "is a server already"),
        (["--model", "x"], "follows from --target"),
        (["--host", "0.0.0.0"], "VLLM_API_KEY"),
        (["--draft-length", "65"], "--draft-length"),
        (["--prepare-only", "--securty", "mine"], "--securty has no effect with --prepare-only"),
    ],
)
def test_what_vllm_cannot_do_is_refused_before_it_is_looked_for(
    flags: list[str], said: str, python: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--engine", "vllm", "--vllm-python", python, *flags]) == 2
    assert said in capsys.readouterr().err
    assert not record.exists()


def test_a_port_in_use_is_reported_before_models_are_read(python: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert (
            main(["serve", "--engine", "vllm", "--vllm-python", python, "--target", "none-such", "--port", port]) == 2
        )
    assert f"Port {port} of 127.0.0.1 is in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--securty", "x"], "Did you mean --security?"),
        (["--tensor-parallel-size", "2"], "Options of vLLM need --engine vllm"),
        (["--vllm-python", "x"], "--vllm-python has an effect only with --engine vllm"),
        (["--prepare-only"], "--prepare-only has an effect only with --engine vllm"),
    ],
)
def test_without_the_engine_its_options_are_unknown(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *flags]) == 2
    assert said in capsys.readouterr().err
