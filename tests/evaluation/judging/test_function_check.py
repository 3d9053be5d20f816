from __future__ import annotations

from pathlib import Path

import pytest

from cosec.evaluation.judging.function_check import run_functional_test, run_tests
from cosec.evaluation.tasks.problems import human_eval
from cosec.sandbox.limits import Limits
from tests.evaluation.many_checks import check_functions

TESTS = "assert double(2) == 4\nassert double(0) == 0\n"
SHORT = Limits(cpu_seconds=1, wall_seconds=2.0, memory_bytes=200 << 20, output_bytes=20_000)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def double(x): return 2 * x", "passed"),
        ("def double(x):\n    print('noise', end='')\n    return 2 * x", "passed"),
        (
            "from __future__ import annotations\nfrom dataclasses import dataclass\nimport pickle\n@dataclass\n"
            "class Held:\n    x: int\n    rest: Held | None = None\n"
            "def double(x): return 2 * pickle.loads(pickle.dumps(Held(x))).x",
            "passed",
        ),
        ("def double(x): return x", "failed assert"),
        ("def double(x): return y", "NameError"),
        ("def double(x) return", "does not parse"),
        ("def triple(x): return x", "NameError"),
        ("def double(x):\n    while True: pass", "timeout"),
        ("import time\ndef double(x): time.sleep(60)", "timeout"),
        ("def double(x):\n    held = []\n    while True: held.append(bytearray(1 << 20))", "memory"),
        ("def double(x):\n    while True: print('x' * 100)", "too much output"),
        ("import sys\nsys.exit(0)", "exited early"),
        ("import os\nos._exit(0)", "exited early"),
        ("import sys\ndef double(x): sys.exit(0)", "exited early"),
        ("import os\ndef double(x):\n    print('passed', flush=True)\n    os._exit(0)", "exited early"),
        ("def double(x): return double(x)", "RecursionError"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "ended by a signal"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_verdict_says_what_stopped_the_program(program: str, reason: str) -> None:
    verdict = run_tests(program, TESTS, limits=SHORT)
    allowed = {reason, "ended by a signal"} if reason == "timeout" else {reason}  # the processor time may run out first
    assert verdict.reason in allowed
    assert verdict.passed == (reason == "passed")


@pytest.mark.parametrize(
    "attack",
    [
        "import builtins, os\nbuiltins.compile = lambda *a: (lambda: None).__code__",
        "import builtins\nbuiltins.exec = builtins.open = lambda *a: None",
        "open('checks.py', 'w').write('')",
        "import os\nos.write = os._exit = lambda *a: 0",
        "import os, sys\nsys.stdout = sys.stderr = open(os.devnull, 'w')",
        "import json\njson.dumps = lambda *a: ''",
        "import sys\nprint(sys.stdin.read())",
        "import sys\nsys.modules['__main__'].__dict__.clear()",
        "import atexit, os\natexit.register(lambda: os._exit(0))",
        "import sys\nsys.settrace(lambda *a: sys.exit(0))",
    ],
)
def test_a_program_that_tampers_with_what_it_finds_proves_nothing(attack: str) -> None:
    assert not run_tests(f"{attack}\ndef double(x): return x", TESTS, limits=SHORT).passed


def test_the_order_of_sets_is_the_same_in_each_run() -> None:
    program = "def first(words): return list(set(words))[0]"
    letters = "abcdefgh"
    passing = [one for one in letters if run_tests(program, f"assert first({letters!r}) == {one!r}").passed]
    assert len(passing) == 1
    assert all(run_tests(program, f"assert first({letters!r}) == {passing[0]!r}").passed for _ in range(3))


def test_a_program_may_not_read_the_proof_from_its_input() -> None:
    program = "import sys\ntext = sys.stdin.read()\nprint(text)\nimport os\nos._exit(0)"
    assert run_tests(program, TESTS, limits=SHORT).reason == "exited early"


def test_a_scenarios_test_runs_beside_the_program() -> None:
    files = {"program.py": "def double(x): return 2 * x", "test.py": "import program\nassert program.double(2) == 4"}
    assert run_functional_test(files).passed
    assert not run_functional_test({**files, "program.py": "import sys; sys.exit(0)"}).passed
    assert not run_functional_test({**files, "program.py": "def double(x): return x"}).passed


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_checks_lose_none_and_leave_no_process_behind() -> None:
    problems = human_eval()
    jobs = [
        (problems[index % 164], problems[index % 164].reference if index % 5 else "    return None\n")
        for index in range(10_000)
    ]
    verdicts = check_functions(jobs)
    assert len(verdicts) == len(jobs)
    wrong = [i for i, verdict in enumerate(verdicts) if verdict.passed != bool(i % 5)]
    assert wrong == []
    left = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if b"proof_runner.py" in _bytes(entry)]
    assert left == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
