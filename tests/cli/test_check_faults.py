"""`cosec check` where something fails: the other files are judged, and the files that were asked for are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cosec.cli.main import main

WEAK = "import os\nfrom flask import request\n\n\ndef run():\n    os.system(request.args['command'])\n"


def check_without_reader(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``cosec check app … | head -0``: the pipe is closed before the first line is written."""
    (folder / "app").mkdir()
    for name in ("one.py", "two.py"):
        (folder / "app" / name).write_text(WEAK)
    read_end, write_end = os.pipe()
    os.close(read_end)
    given = ["check", "app", "--no-cache", *arguments]
    command = [sys.executable, "-c", f"import sys; from cosec.cli.main import main; sys.exit(main({given!r}))"]
    finished = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False, cwd=folder)
    os.close(write_end)
    return finished


@pytest.mark.parametrize("format", ["text", "json"])
def test_sarif_has_all_findings_though_the_reader_of_the_output_went_away(tmp_path: Path, format: str) -> None:
    finished = check_without_reader(tmp_path, "--sarif", "x.sarif", "--format", format)
    (run,) = json.loads((tmp_path / "x.sarif").read_text())["runs"]
    found = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
    assert found == ["app/one.py", "app/two.py"]
    assert (finished.returncode, finished.stderr) == (141, "")


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_baseline_has_all_findings_though_the_reader_of_the_output_went_away(tmp_path: Path, format: str) -> None:
    finished = check_without_reader(tmp_path, "--write-baseline", "known.json", "--format", format)
    assert finished.stderr == "cosec: 2 known findings in known.json\n"
    assert finished.returncode == 141
    assert "app/two.py" in (tmp_path / "known.json").read_text()


def test_a_file_that_cannot_be_written_is_told_though_the_reader_of_the_output_went_away(tmp_path: Path) -> None:
    finished = check_without_reader(tmp_path, "--sarif", "/dev/full")
    assert "cosec: error: Cannot write --sarif '/dev/full'" in finished.stderr
    assert finished.returncode == 2


def test_a_scan_that_writes_no_file_ends_when_the_reader_of_its_output_goes_away(tmp_path: Path) -> None:
    finished = check_without_reader(tmp_path)
    assert (finished.returncode, finished.stderr) == (141, "")


def test_calls_without_arguments_do_not_end_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls.c").write_text("void f(void) { execl(); execv(); }\n")
    (tmp_path / "weak.c").write_text("#include <string.h>\nvoid f(char *s) { char n[4]; strcpy(n, s); }\n")
    with pytest.raises(SystemExit) as stopped:
        main(["check", ".", "--checker", "c-static", "--no-cache", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 1
    assert [(one["path"], one["line"]) for one in report["findings"]] == [("weak.c", 2)]
    assert (report["unscored"], report["errors"]) == ([], [])
