"""What worker processes do with files that end them, and what they import."""

import os
import sys
from pathlib import Path

import pytest

from cosec.scanning import workers
from cosec.scanning.worker import CUT_SHORT, Job
from cosec.scanning.workers import Processes

WEAK = b"import os\n\n\ndef run(request):\n    os.system(request.args['a'])\n"
CHECKERS = (("flow", frozenset({"py/command-injection"})),)


def job(content: bytes = WEAK) -> Job:
    return Job(path="app.py", content=content, checkers=CHECKERS, entry_points="all")


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Processes:
    """Workers that do what a file says in its first line instead of judging it."""
    (tmp_path / "obedient.py").write_text(
        "import os, time\n"
        "from dataclasses import replace\n"
        "from cosec.scanning import worker\n"
        "judge = worker.judge\n"
        "def obey(job):\n"
        "    if job.content == b'die':\n        os._exit(3)\n"
        "    if job.content == b'sleep':\n        time.sleep(100)\n"
        "    if job.content == b'group':\n        job = replace(job, path=str(os.getpgrp()), content=b'\\xff')\n"
        "    return judge(job)\n"
        "worker.judge = obey\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(workers, "_PROGRAM", "import obedient; " + workers._PROGRAM)
    return Processes(2)


def test_a_file_that_ends_its_process_costs_that_file_only(processes: Processes) -> None:
    processes.submit(0, job(b"die"))
    processes.submit(1, job())
    assert processes.full
    answers = dict(processes.wait() for _ in range(2))
    processes.submit(2, job())
    answers |= dict([processes.wait()])
    processes.close()
    assert not processes.busy
    (died,) = answers[0].judgements
    assert [one.reason for one in died.report.unscored] == ["the process that checked it ended"]
    assert not answers[0].lasting
    assert [len(answers[number].judgements[0].report.findings) for number in (1, 2)] == [1, 1]


def test_a_file_that_takes_too_long_is_given_up(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    processes.submit(0, job())
    assert processes.wait()[1].lasting
    monkeypatch.setattr(workers, "WALL_SECONDS", 0.05)
    processes.submit(1, job(b"sleep"))
    number, answer = processes.wait()
    processes.close()
    assert number == 1
    assert not answer.lasting
    assert [one.reason for one in answer.judgements[0].report.unscored] == [CUT_SHORT]


def test_ctrl_c_in_a_terminal_does_not_reach_workers(processes: Processes) -> None:
    processes.submit(0, job(b"group"))
    _, answer = processes.wait()
    processes.close()
    (unscored,) = answer.judgements[0].report.unscored
    assert int(unscored.path) != os.getpgrp()


def test_workers_import_nothing_from_the_folder_that_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pickle.py").write_text("raise SystemExit('imported from the folder that is checked')\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    processes = Processes(1)
    processes.submit(0, job())
    _, answer = processes.wait()
    processes.close()
    assert len(answer.judgements[0].report.findings) == 1
    assert os.listdir(tmp_path) == ["pickle.py"]  # noqa: PTH208
