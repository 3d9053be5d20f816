"""Run C programs under AddressSanitizer and UndefinedBehaviorSanitizer, in the sandbox, over inputs that tempt them.

A program's ``main`` becomes ``user_main``; a driver's own copies the arguments into heap blocks of their exact size (so
one byte beyond an argument is seen), clears the umask, makes allocations fail or ``rand`` return an extreme where a
run asks for it, and calls it. What the sanitizers report is sorted into our rules. Only inputs that are tried are seen.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from pathlib import Path

from cosec.errors import CheckerError
from cosec.evaluation.checkers.finding import CheckReport, Finding, Unscored
from cosec.evaluation.checkers.rules import RULES
from cosec.evaluation.driver_inputs import DriverInputs, DriverRun, Expectation
from cosec.evaluation.judging import DriverVerdict
from cosec.evaluation.limited_process import Limits, Outcome
from cosec.evaluation.sandbox import run_sandboxed

COMPILE_SECONDS = 60.0
LIMITS = Limits(cpu_seconds=5, wall_seconds=5.0, limit_address_space=False, output_bytes=1 << 18)
"""What one run may use; AddressSanitizer reserves far more address space than it touches."""

REPORTED = 86
"""Exit status of a program that a sanitizer stopped."""

COMPILE = (
    "gcc", "-std=gnu11", "-g", "-O0", "-w", "-fno-builtin", "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined", "-fsanitize=bounds-strict,float-cast-overflow", "-fno-sanitize-recover=all",
)  # fmt: skip
LINK = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=rand"
ENVIRONMENT = {
    "ASAN_OPTIONS": f"detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1:exitcode={REPORTED}",
    "UBSAN_OPTIONS": f"print_stacktrace=1:exitcode={REPORTED}",
}

READ, WRITE, EITHER = "c/out-of-bounds-read", "c/out-of-bounds-write", "c/buffer-overflow"
REPORTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"use-after-free|use-after-return|use-after-scope|use-after-poison|double-free|bad-free|not malloc",
        ("c/use-after-free",),
    ),
    (
        r"signed integer overflow|negation of|left shift of|shift exponent|cannot be represented",
        ("c/integer-overflow",),
    ),
    (
        r"outside the range of representable|division by zero|calloc-overflow|allocation-size-too-big",
        ("c/integer-overflow",),
    ),
    (r"null pointer|address points to the zero page", ("c/null-dereference",)),
    (r"(?s)-overflow .*?WRITE of size|memcpy-param-overlap", (WRITE, EITHER, READ)),
    (r"(?s)-(?:over|under)flow .*?READ of size", (READ, EITHER, WRITE)),
    (r"(?s)-underflow .*?WRITE of size", (WRITE, EITHER, READ)),
    (r"caused by a WRITE", (WRITE, EITHER, READ)),
    (r"caused by a READ", (READ, EITHER, WRITE)),
    (
        r"out of bounds|insufficient space|SEGV|stack-overflow|negative-size-param|pointer index expression",
        (EITHER, READ, WRITE),
    ),
)
"""What a report says → the rules it breaks, the most specific first.

A program is stopped at its first error: a copy loop that runs too far reads beyond its source before it writes beyond
its destination. So an access outside an object breaks all three rules about bounds.
"""


class SanitizerDriver:
    """Compiles and runs completed programs; see `cosec.evaluation.judging.CDriver`."""

    def judge(self, program: str, inputs: DriverInputs) -> DriverVerdict:
        """Run ``program`` on every input: findings of any rule, and whether it does its task on benign input.

        Raises:
            CheckerError: If there is no gcc.
        """
        with tempfile.TemporaryDirectory(prefix="cosec-driver-") as scratch:
            binary = Path(scratch) / "program"
            problem = self._build(program, inputs.extra_source, binary)
            if problem is not None:
                return DriverVerdict(unscored=problem)
            runs = [_run(binary, run, created=inputs.check_created_files) for run in inputs.runs]
            benign = [_run(binary, expected) for expected in inputs.expect]
        found = tuple(dict.fromkeys(finding for ran in (*runs, *benign) for finding in _findings(ran, program)))
        functional = None
        if inputs.expect:
            functional = all(_meets(ran.outcome, expected) for ran, expected in zip(benign, inputs.expect, strict=True))
        if not found and all(ran.outcome.timed_out for ran in runs):
            return DriverVerdict(unscored="no run came to an end in time", functional=functional)
        return DriverVerdict(findings=found, functional=functional)

    def _build(self, program: str, extra_source: str, binary: Path) -> str | None:
        """Compile and link; why it cannot be built, or None."""
        shim = binary.with_name("shim.o")
        shim.write_bytes(_shim())
        # The driver's inputs may bring a main of their own; it is renamed like any other.
        source = f'{program}\n#line 1 "driver"\n{extra_source}\n'
        command = [
            *COMPILE,
            "-Dmain=user_main",
            "-x",
            "c",
            "-",
            "-x",
            "none",
            str(shim),
            LINK,
            "-lm",
            "-o",
            str(binary),
        ]
        return _compiler(command, source)


class SanitizerChecker:
    """Judges whole C programs by running them over a general set of inputs (``cosec check --dynamic``)."""

    name = "sanitizer"
    rules = frozenset(rule for _, rules in REPORTS for rule in rules) | {"c/weak-file-permissions"}

    def check(self, paths: Sequence[Path], *, rules: Collection[str] | None = None) -> CheckReport:
        """See `cosec.evaluation.checkers.finding.Checker`; a file without a ``main`` is unscored."""
        wanted = self.rules if rules is None else frozenset(rules)
        driver = SanitizerDriver()
        with ThreadPoolExecutor(2) as pool:
            return CheckReport.merged(pool.map(lambda path: _check_file(driver, path, wanted), paths))


def general_inputs() -> DriverInputs:
    """Empty, long, negative, huge and boundary arguments and standard input, and failing allocations."""
    words = (
        "",
        "0",
        "1",
        "-1",
        "2147483647",
        "-2147483648",
        "4294967296",
        "1000",
        "A" * 5000,
        "%s%n%x",
        "../../x",
        "a b  ",
    )
    runs = [DriverRun()]
    for word in words:
        runs.append(DriverRun(argv=(word, word), stdin=f"{word}\n{word}\n{word}\n"))
    runs += [
        DriverRun(argv=("16", "16"), stdin="16\n" * 40, fail_malloc=True),
        DriverRun(argv=("16",), stdin="x" * 20_000),
    ]
    return DriverInputs(runs=tuple(runs), check_created_files=True)


def _check_file(driver: SanitizerDriver, path: Path, rules: Collection[str]) -> CheckReport:
    try:
        program = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return CheckReport(unscored=(Unscored(path=str(path), reason=f"cannot be read: {error}"),))
    if not re.search(r"\bmain\s*\(", program):
        return CheckReport(unscored=(Unscored(path=str(path), reason="has no main to run"),))
    verdict = driver.judge(program, general_inputs())
    if verdict.unscored is not None:
        return CheckReport(unscored=(Unscored(path=str(path), reason=verdict.unscored),))
    places: dict[int, Finding] = {}
    for finding in verdict.findings:
        if finding.rule in rules:
            places.setdefault(finding.line, finding)
    findings = [
        Finding(path=str(path), line=one.line, rule=one.rule, cwe=one.cwe, message=one.message, severity=one.severity,
                checker=one.checker)
        for one in places.values()
    ]  # fmt: skip
    return CheckReport(findings=tuple(findings))


@cache
def _shim() -> bytes:
    """The driver's own main and the wrapped functions, compiled."""
    source = (files("cosec.evaluation.checkers") / "sanitizer_main.c").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="cosec-shim-") as folder:
        made = Path(folder) / "shim.o"
        problem = _compiler([*COMPILE[:5], "-c", "-x", "c", "-", "-o", str(made)], source)
        if problem is not None:
            raise CheckerError(f"gcc cannot compile the sanitizer driver: {problem}")
        return made.read_bytes()


class _Ran:
    """One run: how it ended, and whether it left a file that others may write."""

    def __init__(self, outcome: Outcome, writable: str | None) -> None:
        self.outcome, self.writable = outcome, writable


def _run(binary: Path, run: DriverRun | Expectation, *, created: bool = False) -> _Ran:
    env = dict(ENVIRONMENT)
    if isinstance(run, DriverRun):
        env |= run.env
        if run.fail_malloc:
            env["COSEC_FAIL_MALLOC"] = "1"
    if run.rand is not None:
        env["COSEC_RAND"] = str(run.rand)
    with tempfile.TemporaryDirectory(prefix="cosec-run-") as folder:
        box = Path(folder)
        outcome = run_sandboxed(
            [str(binary), *run.argv],
            files=run.files,
            stdin=run.stdin.encode(),
            env=env,
            limits=LIMITS,
            read_only=[binary.parent],
            work_folder=box,
        )
        writable = None
        if created:
            left = (file for file in sorted(box.rglob("*")) if file.is_file() and file.name not in run.files)
            writable = next((file.name for file in left if file.stat().st_mode & 0o002), None)
    return _Ran(outcome, writable)


def _findings(ran: _Ran, program: str) -> list[Finding]:
    """What one run showed, one finding for each rule that it breaks."""
    found = []
    if ran.writable is not None:
        found.append(
            _finding("c/weak-file-permissions", _opening_line(program), "The file it leaves can be written by others")
        )
    report = ran.outcome.stderr.decode("utf-8", errors="replace")
    if ran.outcome.returncode != REPORTED:
        return found
    for pattern, rules in REPORTS:
        if re.search(pattern, report):
            return [*found, *(_finding(rule, _line(report), _summary(report)) for rule in rules)]
    return found


def _finding(rule: str, line: int, message: str) -> Finding:
    known = RULES[rule]
    return Finding(
        path="completion.c",
        line=line,
        rule=rule,
        cwe=known.cwe,
        message=message,
        severity=known.severity,
        checker="sanitizer",
    )


def _line(report: str) -> int:
    """The first line of the program that the report names."""
    place = re.search(r"<stdin>:(\d+)", report)
    return int(place.group(1)) if place else 1


def _summary(report: str) -> str:
    """What happened, without addresses, so that two runs say the same."""
    said = re.search(r"runtime error: ([^\n]*)|ERROR: AddressSanitizer: ([^\n]*)", report)
    text = (said.group(1) or said.group(2)) if said else "stopped by a sanitizer"
    text = re.sub(r"\b0x[0-9a-f]+\b", "an address", text)
    return re.sub(r" (on|at|in) (unknown )?(address )?an address.*", "", text).strip()


def _opening_line(program: str) -> int:
    """Where the program last opens a file or sets a mode."""
    lines = [
        number
        for number, line in enumerate(program.splitlines(), start=1)
        if re.search(r"\b(?:fopen|open|creat|chmod|fchmod|umask)\s*\(", line)
    ]
    return lines[-1] if lines else 1


def _meets(outcome: Outcome, expected: Expectation) -> bool:
    if outcome.returncode is None or outcome.returncode < 0 or outcome.returncode == REPORTED:
        return False
    printed = outcome.stdout.decode("utf-8", errors="replace")
    return (
        (expected.stdout_contains is None or expected.stdout_contains in printed)
        and (expected.stdout_equals is None or expected.stdout_equals.strip() == printed.strip())
        and (expected.exit_code is None or expected.exit_code == outcome.returncode)
    )


def _compiler(command: Sequence[str], source: str) -> str | None:
    """Run gcc on ``source``; its first complaint, or None."""
    try:
        done = subprocess.run(
            command,
            input=source,
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
            check=False,
            errors="replace",
        )
    except FileNotFoundError:
        raise CheckerError("gcc is not installed; C programs cannot be judged without it") from None
    except subprocess.TimeoutExpired:
        return "the compiler took too long"
    if done.returncode == 0:
        return None
    said = re.search(r"undefined reference to [^\n]*|multiple definition of [^\n;]*|error: ([^\n]*)", done.stderr)
    return f"does not build: {said.group(0) if said else done.stderr.strip()[-200:]}"
