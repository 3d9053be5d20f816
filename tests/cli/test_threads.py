from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cosec.cli.threads import WAITING, limit_spinning


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {name: value for name, value in os.environ.items() if name not in {"OMP_WAIT_POLICY", *WAITING}}
    monkeypatch.setattr(os, "environ", values)
    return values


def test_threads_limit_spinning_unless_the_user_chose(environment: dict[str, str]) -> None:
    limit_spinning()
    assert environment.items() >= WAITING.items()


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", *WAITING])
def test_a_users_choice_stands(environment: dict[str, str], name: str) -> None:
    environment[name] = "7"
    before = dict(environment)
    limit_spinning()
    assert environment == before


def test_the_variables_are_set_before_torch_is_loaded() -> None:
    program = (
        "import sys, cosec.cli.main as main; main.main(['--version']); import os\n"
        "print('torch' in sys.modules, os.environ.get('GOMP_SPINCOUNT'))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in {"OMP_WAIT_POLICY", *WAITING}}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split()[-2:] == ["False", WAITING["GOMP_SPINCOUNT"]]
