"""gcc says whether source compiles, without the rest of this machine."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cosec.checking.c.compiler import compile_error
from cosec.errors import CheckerError
from cosec.sandbox import BACKENDS


def test_the_first_error_is_named_with_its_line() -> None:
    assert compile_error("int one(void) { return 1; }\n") is None
    assert str(compile_error("int f(void) {\n    return nothing;\n}\n")).startswith("line 2: 'nothing' undeclared")


def test_headers_beside_the_source_can_be_included(tmp_path: Path) -> None:
    (tmp_path / "own.h").write_text("#define ONE 1\n")
    source = '#include "own.h"\nint one(void) { return ONE; }\n'
    assert compile_error(source, include=tmp_path) is None
    assert "own.h" in str(compile_error(source))


@pytest.mark.skipif(BACKENDS["bubblewrap"].problem() is not None, reason="bubblewrap is not installed")
def test_files_of_this_machine_cannot_be_included(tmp_path: Path) -> None:
    (tmp_path / "secret.h").write_text("#error the secret\n")
    for path in ("/etc/passwd", str(tmp_path / "secret.h")):
        problem = str(compile_error(f'#include "{path}"\n'))
        assert "No such file or directory" in problem
        assert "the secret" not in problem


def test_a_missing_compiler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CheckerError, match="gcc is not installed"):
        compile_error("int one;\n")


@pytest.mark.parametrize(
    "messages",
    [
        "gcc: fatal error: cannot execute 'cc1': vfork: Resource temporarily unavailable\ncompilation terminated.\n",
        "gcc: fatal error: cannot execute 'as': posix_spawn: Cannot allocate memory\n",
    ],
)
def test_a_compiler_that_cannot_start_says_nothing_about_the_program(
    monkeypatch: pytest.MonkeyPatch, messages: str
) -> None:
    outcome = SimpleNamespace(returncode=1, timed_out=False, stderr=messages.encode())
    monkeypatch.setattr("cosec.checking.c.compiler.run_sandboxed", lambda *_, **__: outcome)
    with pytest.raises(CheckerError, match=r"gcc cannot start its own processes here.*cannot execute"):
        compile_error("int one(void) { return 1; }\n")
