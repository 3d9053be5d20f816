"""Scripts of ``benchmarks``, run in this process."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., None]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    """Run a script with arguments."""
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))

    def run(name: str, *arguments: object) -> None:
        module = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        module.main()

    return run
