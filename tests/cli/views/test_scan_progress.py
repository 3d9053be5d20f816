"""The line about the progress of a scan."""

import sys

import pytest

from cosec.cli.views.scan_progress import ScanProgress, progress_line
from cosec.scanning import Progress


def test_the_time_left_follows_from_the_sizes() -> None:
    assert progress_line(Progress(files=40, size=4000), 9.0) == "0/40 files"
    assert progress_line(Progress(files=40, size=4000, done_files=3, done_size=1000), 30.0) == "3/40 files, 1:30 left"
    assert progress_line(Progress(files=4, size=9, done_files=4, done_size=9), 1.0) == "4/4 files"
    assert progress_line(Progress(files=4, size=9, done_files=4, done_size=9, checker="semgrep"), 1.0) == (
        "4/4 files, semgrep runs"
    )


def test_progress_is_shown_in_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    progress = Progress(files=4, size=9, checker="semgrep")
    silent = ScanProgress()
    silent.update(progress)
    silent.clear()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = ScanProgress()
    shown.update(progress)
    shown.clear()
    shown.clear()
    assert capsys.readouterr().err == "\r\x1b[2K0/4 files, semgrep runs\r\x1b[2K"
