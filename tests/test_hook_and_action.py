"""The pre-commit hook and the GitHub Action do what docs/check.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from pre_commit.clientlib import load_manifest

ROOT = Path(__file__).parents[1]
INSECURE = 'from flask import request\n\n\ndef f(c):\n    c.execute("SELECT " + request.args["a"])\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one insecure and one excluded file, and a repository that offers the hooks."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    hooks, project = tmp_path / "hooks", tmp_path / "project"
    hooks.mkdir()
    (hooks / ".pre-commit-hooks.yaml").write_bytes((ROOT / ".pre-commit-hooks.yaml").read_bytes())
    revision = committed(hooks)
    project.mkdir()
    (project / "one.py").write_text(INSECURE)
    (project / "left_out.py").write_text(INSECURE)
    (project / "notes.txt").write_text("notes\n")
    (project / "pyproject.toml").write_text('[tool.cosec.check]\nexclude = ["left_out.py"]\n')
    used = {"repo": str(hooks), "rev": revision, "hooks": [{"id": "cosec-check-installed"}]}
    (project / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [used]}))
    committed(project)
    return project


def committed(folder: Path) -> str:
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "All"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout[
        :-1
    ]


def pre_commit(project: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_hook_fails_a_commit_with_a_finding_and_leaves_out_what_the_project_excludes(project: Path) -> None:
    code, said = pre_commit(project)
    assert code == 1
    assert "one.py:5: error: " in said
    assert "1 file, 1 finding" in said
    assert "left_out.py" not in said
    (project / "one.py").write_text(INSECURE.rstrip() + "  # cosec: ignore[CWE-089] a test\n")
    code, said = pre_commit(project)
    assert code == 0, said


def test_both_hooks_run_the_same_command_and_one_brings_what_it_needs() -> None:
    own, installed = load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))
    for same in ("entry", "args", "files", "require_serial"):
        assert own[same] == installed[same]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(own["additional_dependencies"]) <= set(project["optional-dependencies"]["evaluation"])


def action() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8")))


def step(name: str) -> dict[str, Any]:
    return next(one for one in action()["runs"]["steps"] if one.get("name") == name)


def fits(kind: str, file: Path) -> str:
    """Return what the schema of such files says against one; empty if it fits."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{kind}", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_action_and_the_documented_workflow_fit_their_schemas(tmp_path: Path) -> None:
    assert fits("github-actions", ROOT / "action.yml") == ""
    documented = (ROOT / "docs" / "check.md").read_text(encoding="utf-8").split("## GitHub Actions")[1]
    block = next(text for text in re.findall(r"(?:^(?: {4}.*)?\n)+", documented, re.MULTILINE) if "name:" in text)
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(textwrap.dedent(block), encoding="utf-8")
    assert fits("github-workflows", workflow) == ""
    (used,) = [one for one in yaml.safe_load(workflow.read_text())["jobs"]["check"]["steps"] if "with" in one]
    assert set(used["with"]) <= set(action()["inputs"])
    workflow.write_text("jobs: {check: {steps: []}}\n", encoding="utf-8")
    assert "runs-on" in fits("github-workflows", workflow)


CHOSEN = ["--checker", "flow", "--checker", "c-static", "--fail-on", "error"]


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, ["check", "--sarif", "out.sarif"]),
        (
            {"CHECKERS": "flow c-static", "FAIL_ON": "error", "PATHS": "src\nmy tools\n", "ARGUMENTS": "--isolated\n"},
            ["check", "--sarif", "out.sarif", *CHOSEN, "--isolated", "src", "my tools"],
        ),
    ],
)
def test_the_action_passes_its_inputs_and_the_exit_code(tmp_path, given: dict[str, str], arguments: list[str]) -> None:
    program = tmp_path / "cosec" / "bin" / "cosec"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(1)\n")
    program.chmod(0o755)
    names = {"PATHS", "CHECKERS", "FAIL_ON", "ARGUMENTS", "SARIF_FILE"}
    assert set(step("Check")["env"]) == names
    inputs = {**dict.fromkeys(names, ""), "SARIF_FILE": "out.sarif", **given, "RUNNER_TEMP": str(tmp_path)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Check")["run"]]
    done = subprocess.run(command, env={**os.environ, **inputs}, check=False, capture_output=True, text=True)
    assert json.loads(done.stdout) == arguments
    assert done.returncode == 1


WITHOUT_OTHERS = """
import sys
from importlib.metadata import packages_distributions

class Missing:
    allowed = set(sys.argv[1].split(","))
    owners = packages_distributions()

    def find_spec(self, name, path=None, target=None):
        owners = self.owners.get(name.split(".")[0])
        if owners and not any(one.lower().replace("_", "-") in self.allowed for one in owners):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from cosec.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
"""Runs the command line as if only some packages were installed."""


def test_checking_needs_no_package_but_those_that_the_action_installs(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(INSECURE)
    (tmp_path / "two.c").write_text("int one(void) { return 1; }\n")
    (line,) = [one for one in step("Install cosec")["run"].splitlines() if "cyclopts" in one]
    installed = closure(line.split("version-check ")[1].split()) | {"cosec"}
    assert "torch" not in installed

    def check(allowed: set[str]) -> subprocess.CompletedProcess[str]:
        arguments = ["check", "one.py", "two.c", *CHOSEN, "--exclude", "x"]
        command = [sys.executable, "-c", WITHOUT_OTHERS, ",".join(allowed), *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "COSEC_CACHE"}
        environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)

    done = check(installed)
    assert "2 files, 1 finding, 0 unscored" in done.stdout, done.stderr
    without = check(installed - {"tree-sitter-c"})
    assert without.returncode == 2
    assert "pip install '.[evaluation]'" in without.stderr
    assert "pathspec" in check(installed - {"pathspec"}).stderr


def closure(names: list[str]) -> set[str]:
    """Return packages with everything that they need."""
    found, left = set[str](), [plain(name) for name in names]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            needed = [one for one in requires(name) or () if "extra ==" not in one and "sys_platform ==" not in one]
            left += [plain(re.split(r"[^\w.-]", one)[0]) for one in needed if is_installed(one)]
    return found


def is_installed(requirement: str) -> bool:
    return plain(re.split(r"[^\w.-]", requirement)[0]) in {
        plain(one) for some in packages_distributions().values() for one in some
    }


def plain(name: str) -> str:
    return name.lower().replace("_", "-")
