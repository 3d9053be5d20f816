"""One adversary per promise of the sandbox's docstring."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosec.errors import SandboxError
from cosec.sandbox import BACKENDS, SANDBOX_VARIABLE, Limits, Outcome, run_sandboxed

PYTHON = [sys._base_executable, "-I", "-S", "main.py"]  # type: ignore[attr-defined]
SHORT = Limits(wall_seconds=4.0, cpu_seconds=2, processes=16, memory_bytes=200 << 20)
MISSING = BACKENDS["bubblewrap"].problem()
isolated = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def run(source: str, limits: Limits = SHORT, **options: object) -> Outcome:
    return run_sandboxed(PYTHON, files={"main.py": source}, limits=limits, **options)  # type: ignore[arg-type]


@pytest.fixture(params=sorted(BACKENDS))
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if BACKENDS[request.param].problem() is not None:
        pytest.skip(str(BACKENDS[request.param].problem()))
    monkeypatch.setenv(SANDBOX_VARIABLE, request.param)
    return str(request.param)


@pytest.fixture
def marker() -> str:
    """A word that only this test's processes have on their command line."""
    return f"cosec-marker-{os.getpid()}-{time.monotonic_ns()}"


def alive(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if word.encode() in command and int(entry.parent.name) != os.getpid():
            found.append(command.decode(errors="replace"))
    return found


@isolated
@pytest.mark.skipif(not Path("/usr/lib/debug").is_dir(), reason="no debug information is installed")
def test_a_program_finds_no_debug_information_of_the_systems_libraries_and_cannot_add_any() -> None:
    source = "import os\nprint(os.listdir('/usr/lib/debug'))\nopen('/usr/lib/debug/a', 'w')"
    outcome = run(source)
    assert outcome.stdout == b"[]\n"
    assert b"Read-only file system" in outcome.stderr


def test_a_program_reads_its_files_and_its_input_and_its_output_comes_back(either: str) -> None:
    source = "import sys\nprint(open('data/numbers.txt').read() + input())\nsys.stderr.write('said')\nsys.exit(3)"
    files: dict[str, str | bytes] = {"main.py": source, "data/numbers.txt": b"12"}
    outcome = run_sandboxed(PYTHON, files=files, stdin=b"34\n", limits=SHORT)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (3, b"1234\n", b"said")
    assert not outcome.timed_out
    assert not outcome.truncated


def test_a_large_input_is_fed_while_the_output_is_read(either: str) -> None:
    text = b"x" * 500_000
    outcome = run("import sys\nsys.stdout.write(sys.stdin.read())", stdin=text)
    assert outcome.stdout == text


def test_input_that_nobody_reads_is_no_error(either: str) -> None:
    assert run("pass", stdin=b"x" * 500_000).returncode == 0


def test_the_environment_holds_nothing_of_the_callers(either: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "do not tell")
    outcome = run("import os, json; print(json.dumps(dict(os.environ)))", env={"GIVEN": "yes"})
    seen = json.loads(outcome.stdout)
    assert "SECRET_TOKEN" not in seen
    assert seen["GIVEN"] == "yes"


@isolated
def test_a_fork_bomb_is_bounded(marker: str) -> None:
    source = (
        f"import os, time\nname = {marker!r}\ncount = 0\ntry:\n    while count < 3000:\n"
        "        if os.fork() == 0:\n            time.sleep(60)\n        count += 1\n"
        "except OSError:\n    pass\nprint(count)"
    )
    if os.getuid() == 0 and not os.access("/sys/fs/cgroup/pids", os.W_OK):
        pytest.skip("as root, processes are bounded in a control group only")
    assert int(run(source).stdout) < 40


def test_a_memory_bomb_is_ended(either: str) -> None:
    outcome = run("blocks = []\nwhile True:\n    blocks.append(bytearray(10 << 20))")
    assert outcome.returncode != 0
    assert b"MemoryError" in outcome.stderr or outcome.returncode in (-9, 137)


def test_endless_output_is_cut_and_ends_the_program(either: str) -> None:
    outcome = run("while True:\n    print('x' * 1000)", Limits(output_bytes=50_000, wall_seconds=10))
    assert outcome.truncated
    assert outcome.returncode is None
    assert len(outcome.stdout) <= 50_000
    assert outcome.seconds < 5


def test_a_program_that_sleeps_is_ended_after_the_wall_time(either: str) -> None:
    outcome = run("import time\nprint('begun', flush=True)\ntime.sleep(60)", Limits(wall_seconds=1.0))
    assert outcome.timed_out
    assert outcome.stdout == b"begun\n"
    assert outcome.seconds < 5


def test_a_program_that_computes_is_ended_after_its_processor_time(either: str) -> None:
    outcome = run("while True:\n    pass", Limits(cpu_seconds=1, wall_seconds=60))
    assert not outcome.timed_out
    assert outcome.returncode not in (0, None)


def test_a_program_that_ignores_sigterm_ends_all_the_same(either: str, marker: str) -> None:
    source = f"import signal, time\nsignal.signal(15, signal.SIG_IGN)\nname = {marker!r}\ntime.sleep(60)"
    assert run(source, Limits(wall_seconds=1.0)).timed_out
    assert alive(marker) == []


@isolated
def test_a_daemon_ends_with_the_program_that_left_it_behind(marker: str) -> None:
    source = (
        "import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)', {marker!r}])\n"
        "    os._exit(0)\nimport time\ntime.sleep(0.3)\nprint('left')"
    )
    assert run(source).stdout == b"left\n"
    assert alive(marker) == []


@isolated
@pytest.mark.parametrize("place", ["/usr/cosec-was-here", "/etc/cosec-was-here", str(Path.home() / "cosec-was-here")])
def test_nothing_outside_can_be_written(place: str) -> None:
    source = f"import os\ntry:\n    os.makedirs(os.path.dirname({place!r}), exist_ok=True)\n    open({place!r}, 'w')\n"
    run(source + "except OSError:\n    pass")
    assert not Path(place).exists()


@isolated
def test_the_users_files_cannot_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for path in (secret, Path.home() / ".bashrc", Path("/etc/shadow"), Path(__file__)):
        outcome = run(f"print(open({str(path)!r}).read())")
        assert outcome.returncode == 1
        assert b"No such file" in outcome.stderr or b"Permission denied" in outcome.stderr


@isolated
def test_a_folder_that_was_named_can_be_read_and_not_written(tmp_path: Path) -> None:
    (tmp_path / "given.txt").write_text("given")
    source = f"import sys\nprint(open('{tmp_path}/given.txt').read())\nopen('{tmp_path}/new.txt', 'w')"
    outcome = run(source, read_only=[tmp_path])
    assert outcome.stdout == b"given\n"
    assert b"Read-only file system" in outcome.stderr
    assert not (tmp_path / "new.txt").exists()


@isolated
def test_no_socket_reaches_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)")
    assert outcome.returncode == 1


@isolated
def test_the_parent_can_be_neither_seen_nor_killed() -> None:
    victim = subprocess.Popen(["sleep", "60"])
    try:
        outcome = run(f"import os\ntry:\n    os.kill({victim.pid}, 9)\nexcept OSError as error:\n    print(error)")
        assert b"No such process" in outcome.stdout
        run("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)")
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@isolated
def test_a_link_out_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    source = f"import os\nos.symlink({str(secret)!r}, 'link')\nprint(open('link').read())"
    assert b"No such file" in run(source).stderr


@isolated
def test_files_are_limited_together() -> None:
    source = "for index in range(100):\n    open(str(index), 'wb').write(b'x' * (1 << 20))"
    outcome = run(source, Limits(file_bytes=8 << 20))
    assert b"No space left" in outcome.stderr


@isolated
def test_every_folder_that_can_be_written_has_a_limit() -> None:
    # A tmpfs without a size takes half of the memory.
    source = (
        "import os\nfor folder in ('/', '/dev', '/dev/shm', '/tmp', '/tmp/box'):\n"
        "    found = os.statvfs(folder)\n"
        "    size = 0 if found.f_flag & os.ST_RDONLY else found.f_blocks * found.f_frsize\n"
        "    print(folder, size)"
    )
    outcome = run(source, Limits(file_bytes=8 << 20))
    sizes = {name: int(size) for name, size in (line.split() for line in outcome.stdout.decode().splitlines())}
    assert sizes == {"/": 0, "/dev": 0, "/dev/shm": 8 << 20, "/tmp": 8 << 20, "/tmp/box": 8 << 20}


@isolated
@pytest.mark.parametrize("place", ["/new", "/dev/new", "/proc/new", "/usr/new"])
def test_nothing_can_be_created_outside_the_temporary_folders(place: str) -> None:
    outcome = run(f"open({place!r}, 'w')")
    assert outcome.returncode == 1
    assert b"Read-only file system" in outcome.stderr or b"No such file" in outcome.stderr


@isolated
def test_shared_memory_is_limited() -> None:
    source = "for index in range(100):\n    open(f'/dev/shm/{index}', 'wb').write(b'x' * (1 << 20))"
    assert b"No space left" in run(source, Limits(file_bytes=4 << 20)).stderr


@isolated
def test_locks_between_processes_and_device_files_work() -> None:
    source = (
        "import multiprocessing\nwith multiprocessing.Lock():\n    open('/dev/null', 'w').write('x')\n"
        "    print(len(open('/dev/urandom', 'rb').read(8)))"
    )
    assert run(source).stdout == b"8\n"


def test_a_compiler_reads_no_file_of_this_machine() -> None:
    if MISSING is not None or shutil.which("gcc") is None:
        pytest.skip("gcc or bubblewrap is not installed")
    command = ["gcc", "-fsyntax-only", "-x", "c", "-"]
    outcome = run_sandboxed(command, stdin=b'#include "/etc/passwd"\n', limits=Limits(limit_address_space=False))
    assert b"/etc/passwd: No such file" in outcome.stderr
    assert b"root:" not in outcome.stderr


@isolated
def test_a_folder_around_the_working_folder_is_refused() -> None:
    with pytest.raises(SandboxError, match="cannot be made readable"):
        run("pass", read_only=[Path("/tmp")])


def test_a_work_folder_keeps_what_the_program_writes(either: str, tmp_path: Path) -> None:
    run("open('made.txt', 'w').write('made')", work_folder=tmp_path)
    assert (tmp_path / "made.txt").read_text() == "made"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.py", "a/../../b", ""])
def test_a_file_name_that_leads_outside_is_refused(name: str) -> None:
    with pytest.raises(SandboxError, match="relative name"):
        run_sandboxed(PYTHON, files={name: "x"})


def test_no_control_group_is_left_behind() -> None:
    run("print(1)")
    run("import time\ntime.sleep(60)", Limits(wall_seconds=0.5))
    assert list(Path("/sys/fs/cgroup").glob(f"*/cosec-{os.getpid()}-*")) == []


def test_what_was_never_started_has_no_outcome(either: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"'no-such-program' could not be started in the sandbox .*not found"):
        run_sandboxed(["no-such-program", "x"], limits=SHORT)
    copied = run("import sys\nsys.stderr.write('sh: 1: exec: no-such-program: not found')\nsys.exit(127)")
    assert copied.returncode == 127


@isolated
def test_a_folder_that_cannot_be_shown_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"could not be started in the sandbox .*gone"):
        run("pass", read_only=[tmp_path / "gone"])


@isolated
def test_a_folder_is_readable_under_its_path_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "given.txt").write_text("given")
    (tmp_path / "link").symlink_to("real")
    source = "".join(f"print(open('{tmp_path}/{name}/given.txt').read())\n" for name in ("link", "real"))
    assert run(source, read_only=[tmp_path / "link"]).stdout == b"given\ngiven\n"


def test_a_program_ends_with_the_process_that_started_it(either: str, marker: str) -> None:
    program = f"import time; time.sleep(60) # {marker}"
    source = f"from cosec.sandbox import run_sandboxed\nrun_sandboxed([{PYTHON[0]!r}, '-c', {program!r}])"
    parent = subprocess.Popen([sys.executable, "-c", source])
    until = time.monotonic() + 20

    def is_running() -> bool:
        """Whether the program itself runs, and not yet or only what starts it."""
        return any(one.startswith(f"{PYTHON[0]}\0") and "run_sandboxed" not in one for one in alive(marker))

    while not is_running() and time.monotonic() < until:
        time.sleep(0.05)
    assert is_running()
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while alive(marker) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive(marker) == []


def test_a_program_cannot_hide_that_it_was_started(either: str) -> None:
    source = (
        "import os\nfor name in os.listdir('/proc/self/fd'):\n"
        "    for flags in (os.O_RDONLY | os.O_NONBLOCK, os.O_RDWR | os.O_TRUNC | os.O_NONBLOCK):\n"
        "        try:\n            os.read(os.open(f'/proc/self/fd/{name}', flags), 9)\n"
        "        except OSError:\n            pass\n"
        "    try:\n        os.ftruncate(int(name), 0)\n    except OSError:\n        pass\nprint('done')"
    )
    outcome = run(source)
    assert (outcome.returncode, outcome.stdout) == (0, b"done\n")
