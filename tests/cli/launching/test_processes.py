"""Commands run in processes of their own, which are the command line and nothing of the working folder."""

import signal
from pathlib import Path

import pytest

from cosec.cli.launching.processes import run_alone, run_in_processes
from cosec.version import __version__


@pytest.mark.parametrize("run", [run_alone, lambda arguments: run_in_processes(arguments, 1)], ids=["alone", "several"])
def test_a_command_imports_no_module_of_the_working_folder(run, tmp_path: Path, monkeypatch, capfd) -> None:
    (tmp_path / "cyclopts.py").write_text("raise SystemExit('imported from the working folder')\n")
    monkeypatch.chdir(tmp_path)
    assert run(["--version"]) == 0
    assert capfd.readouterr().out.strip() == __version__


def test_after_a_command_signals_are_handled_as_before() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    assert run_alone(["--versoin"]) == 2
    assert [signal.getsignal(number) for number in numbers] == before
