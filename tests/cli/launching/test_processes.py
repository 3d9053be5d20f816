"""Commands run in processes of their own, which are the command line and nothing of the working folder."""

import signal
from pathlib import Path

import pytest

from cosec.cli.launching import processes
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


@pytest.mark.parametrize(
    "first", ["import time; time.sleep(60)", "import time; time.sleep(1); sys.exit('closed by peer')"]
)
def test_the_process_that_failed_first_is_heard(first: str, monkeypatch, capfd) -> None:
    program = f"import os, sys\nif os.environ['RANK'] == '1':\n    print('the reason')\n    sys.exit(3)\n{first}"
    monkeypatch.setattr(processes, "ENTRY", program)
    monkeypatch.setattr(processes, "GRACE_SECONDS", 2)
    assert run_in_processes([], 2) == 3
    assert "the reason" in capfd.readouterr().err
