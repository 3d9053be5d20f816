"""The command line is quick to answer, exact about mistakes, and never shows a traceback for what the user can mend."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cosec import __version__
from cosec.cli import main as main_module
from cosec.cli.main import main
from cosec.errors import ModelNotFound

VERBS = ("generate", "demo", "tune", "data", "models", "doctor", "bench")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``main`` sets variables and warning filters for its process; keep them out of the other tests."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(sys, "warnoptions", ["error"])


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the next command fail in a chosen way."""

    def fail_with(error: BaseException) -> None:
        def fail(*arguments: object, **options: object) -> None:
            raise error

        monkeypatch.setattr(main_module, "app", fail)

    return fail_with


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_help_lists_every_verb_without_importing_what_is_slow() -> None:
    program = (
        "import sys; from cosec.cli.main import main; code = main(['--help']);"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate', 'matplotlib', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else code)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert all(f" {verb} " in finished.stdout for verb in VERBS)


def test_a_long_flag_is_whole_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["align", "--help"]) == 0
    assert " --no-gradient-checkpointing " in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["generate", "serve", "tune"])
def test_lists_have_no_flag_that_empties_them(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert "--empty" not in capsys.readouterr().out


@pytest.mark.parametrize("verb", [*VERBS, "models show", "data stats", "bench speed"])
def test_every_verb_explains_itself_without_torch(verb: str) -> None:
    program = (
        f"import sys; from cosec.cli.main import main; code = main({[*verb.split(), '--help']});"
        "sys.exit('torch was imported' if 'torch' in sys.modules else code)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert f"Usage: cosec {verb}" in finished.stdout


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generat"], 'Unknown command "generat". Did you mean "generate"?'),
        (["generate", "--promt", "x"], "Unknown option: --promt. Did you mean --prompt?"),
        (["generate", "--qqqq"], "Unknown option: --qqqq."),
        (["doctor", "smollm2-135m", "--dtpe", "auto"], "Unknown option: --dtpe. Did you mean --dtype?"),
        (["doctor", "smollm2-135m", "--dtype", "int8"], '"int8"'),
        (["models", "show"], "requires an argument"),
        (["models", "shw", "x"], 'Did you mean "show"?'),
        (["bench", "speed", "--round", "5"], "Did you mean --rounds?"),
    ],
)
def test_bad_usage_is_one_line_with_a_suggestion(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    line = one_line(capsys)
    assert line.startswith("cosec: error: ")
    assert message in line
    assert "--help" in line


def test_bad_usage_needs_no_package_but_those_of_the_command_line() -> None:
    """The GitHub Action installs no pydantic."""
    program = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pydantic":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from cosec.cli.main import main
sys.exit(main(["check", "src", "--fail-on", "eror"]))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("cosec: error: ")
    assert '"eror"' in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_settings_that_do_not_fit_together_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--max-queue", "64"]) == 2
    line = one_line(capsys)
    assert line.startswith("cosec: error: max_samples (128) must not exceed max_queue (64), or ")
    assert line.endswith("would always be refused. Try: cosec serve --help\n")


def test_an_error_of_ours_is_one_line(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(ModelNotFound("There is no model 'x';\n  pull it."))
    assert main([]) == 2
    assert one_line(capsys) == "cosec: error: There is no model 'x'; pull it.\n"


def test_a_full_disk_is_named_with_its_file(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device", "/data/out"))
    assert main([]) == 2
    assert "The disk is full (/data/out): free some space" in one_line(capsys)


def test_a_disk_that_safetensors_found_full_is_named_too(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors import SafetensorError

    failing(SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"))
    assert main([]) == 2
    assert "The disk is full" in one_line(capsys)


def test_a_missing_permission_is_one_line(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(PermissionError(errno.EACCES, "Permission denied", "/root/x"))
    assert main([]) == 2
    assert one_line(capsys) == "cosec: error: Permission denied (/root/x).\n"


def test_a_bug_keeps_its_traceback(failing: Callable[[BaseException], None]) -> None:
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        main([])


def test_ctrl_c_ends_with_130_and_a_short_line(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(KeyboardInterrupt())
    assert main([]) == 130
    assert capsys.readouterr().err == "\ncosec: stopped\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """``cosec models list | head -0``: the pipe is closed before the first line is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-c", "import sys; from cosec.cli.main import main; sys.exit(main(['models', 'list']))"]
    environment = {**os.environ, "COSEC_CACHE": str(tmp_path)}
    finished = subprocess.run(
        command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    os.close(write_end)
    assert finished.stderr == ""
    assert finished.returncode == 141
