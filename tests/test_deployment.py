"""The files in deploy/ are valid, agree with each other, and start the server with options that it has."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cosec.cli.main import main
from cosec.vllm_plugin import VLLM_VERSION

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VARIABLES = {"COSEC_TARGET": "target", "COSEC_SECURITY": "adapter", "COSEC_GPUS": "2"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


@pytest.fixture(scope="module")
def resources() -> dict[tuple[str, str], dict[str, Any]]:
    """The Kubernetes resources by kind and name."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}


def test_the_compose_file_is_valid_by_the_schema_of_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_manifest_is_valid_by_the_schemas_of_kubernetes(resources: dict[tuple[str, str], dict[str, Any]]) -> None:
    for one in resources.values():
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    wrong = {**resources["Service", "cosec"], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, which comes with Prometheus, is not installed")
def test_the_configuration_of_prometheus_is_valid_by_its_own_tool() -> None:
    ran = subprocess.run(
        ["promtool", "check", "config", str(DEPLOY / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_prometheus_scrapes_the_server_in_both(
    compose: dict[str, Any], resources: dict[tuple[str, str], dict[str, Any]]
) -> None:
    written = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert yaml.safe_load(resources["ConfigMap", "prometheus"]["data"]["prometheus.yml"]) == written
    host, port = written["scrape_configs"][0]["static_configs"][0]["targets"][0].split(":")
    assert compose["services"][host]["ports"][0].endswith(f":{port}")
    service = resources["Service", host]["spec"]
    assert service["ports"][0]["port"] == int(port)
    pod = resources["Deployment", host]["spec"]["template"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    (named,) = [one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]]
    assert named == int(port)


def containers(compose: dict[str, Any], resources: dict[tuple[str, str], dict[str, Any]]) -> list[list[str]]:
    """The arguments of every container that runs this package, with values for their variables."""
    pod = resources["Deployment", "cosec"]["spec"]["template"]["spec"]
    written = [compose["services"][name]["command"] for name in ("security-model", "cosec")]
    written += [one["args"] for kind in ("initContainers", "containers") for one in pod[kind]]
    return [
        [re.sub(r"\$[{(](\w+)(?:[:?-][^})]*)?[})]", lambda found: VARIABLES[found[1]], one) for one in arguments]
        for arguments in written
    ]


def test_the_containers_call_the_command_with_options_that_it_has(
    compose: dict[str, Any],
    resources: dict[tuple[str, str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[tuple[tuple[str, str], Any, str, Any]] = []

    def record(asked: Any, flags: Any, passed_on: Any) -> None:
        called.append(((asked.target, asked.security), flags.prepare_only, asked.access.host, passed_on))

    monkeypatch.setattr("cosec.cli.serve.serve_with_vllm", record)
    for arguments in containers(compose, resources):
        assert main(arguments) == 0
    models = ("target", "adapter")
    prepared = (models, True, "127.0.0.1", ())
    assert [called[0], called[2]] == [prepared, prepared]
    assert called[1] == (models, False, "0.0.0.0", ("--tensor-parallel-size=2",))
    assert called[3] == (models, False, "0.0.0.0", ("--tensor-parallel-size=1",))


def test_the_number_of_gpus_is_that_of_the_tensor_parallel_workers(
    compose: dict[str, Any], resources: dict[tuple[str, str], dict[str, Any]]
) -> None:
    (device,) = compose["services"]["cosec"]["deploy"]["resources"]["reservations"]["devices"]
    assert f"--tensor-parallel-size={device['count']}" in compose["services"]["cosec"]["command"]
    (container,) = resources["Deployment", "cosec"]["spec"]["template"]["spec"]["containers"]
    assert f"--tensor-parallel-size={container['resources']['limits']['nvidia.com/gpu']}" in container["args"]


def test_the_image_has_the_version_of_vllm_that_the_plugin_is_written_for() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert f"FROM vllm/vllm-openai:v{VLLM_VERSION} AS vllm\n" in dockerfile
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, flags=re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)


RAY = """\
import subprocess, sys

def init():
    pass

def remote(**options):
    assert options == {"num_cpus": 1.0, "num_gpus": 0.5, "max_retries": 3, "scheduling_strategy": "SPREAD"}
    return lambda work: type("Task", (), {"remote": staticmethod(lambda *given: lambda: work(*given))})

def get(tasks):
    return [task() for task in tasks]
"""
"""A stand-in for Ray, which runs each task when its result is asked for."""


@pytest.mark.parametrize(("version", "status"), [("--version", 0), ("--versoin", 1)])
def test_ray_runs_the_command_once_for_each_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, status: int
) -> None:
    (tmp_path / "ray.py").write_text(RAY)
    working = tmp_path / "working"
    working.mkdir()
    (working / "cosec.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    command = [sys.executable, str(DEPLOY / "ray_workers.py"), "--workers", "2", "--gpus", "0.5", "--"]
    ran = subprocess.run([*command, version, "--out", "x"], cwd=working, capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    if status:
        assert "2 of 2 workers failed" in ran.stderr


def test_workers_of_ray_need_a_shared_folder() -> None:
    command = [sys.executable, str(DEPLOY / "ray_workers.py"), "--workers", "2", "--", "study", "recipe.toml"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "--out" in ran.stderr


def test_no_key_is_written_in_the_files() -> None:
    for path in DEPLOY.iterdir():
        for line in path.read_text().splitlines():
            if "VLLM_API_KEY:" in line:
                assert "${VLLM_API_KEY:?" in line, f"{path.name}: {line}"
