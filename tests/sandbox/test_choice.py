"""Untrusted programs run in bubblewrap, or under resource limits alone where that was asked for by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cosec.errors import SandboxError
from cosec.sandbox import BACKENDS, SANDBOX_VARIABLE, choose_sandbox, current_sandbox, run_sandboxed
from cosec.sandbox.backends import Bubblewrap


@pytest.fixture
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SANDBOX_VARIABLE, "")


@pytest.fixture
def no_bubblewrap(no_choice: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bubblewrap, "problem", lambda self: "bubblewrap is not installed")


def test_without_bubblewrap_nothing_runs_and_the_remedy_is_named(no_bubblewrap: None, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"bubblewrap is not installed.*--sandbox limits"):
        run_sandboxed(["touch", "made"], work_folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_resource_limits_alone_are_a_choice(no_bubblewrap: None, tmp_path: Path) -> None:
    assert choose_sandbox("limits").name == "limits"
    assert run_sandboxed(["touch", "made"], work_folder=tmp_path).returncode == 0
    assert (tmp_path / "made").exists()


def test_a_flag_counts_before_the_environment_and_that_before_a_recipe(
    no_bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_sandbox(fallback="limits").name == "limits"
    with pytest.raises(SandboxError):
        choose_sandbox("bubblewrap")
    monkeypatch.setenv(SANDBOX_VARIABLE, "bubblewrap")
    with pytest.raises(SandboxError):
        choose_sandbox(fallback="limits")


def test_processes_that_are_started_make_the_same_choice(no_choice: None) -> None:
    choose_sandbox("limits")
    source = "from cosec.sandbox import current_sandbox; print(current_sandbox().name)"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, check=True).stdout == b"limits\n"


def test_bubblewrap_is_the_default(no_choice: None) -> None:
    if BACKENDS["bubblewrap"].problem() is not None:
        pytest.skip("bubblewrap is not installed")
    assert choose_sandbox().name == current_sandbox().name == "bubblewrap"


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SANDBOX_VARIABLE, "nothing")
    with pytest.raises(SandboxError, match="choose from bubblewrap, limits"):
        current_sandbox()
