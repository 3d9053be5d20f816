"""Compare checkers on labelled programs: `benchmarks/checkers.py [LABELLED.jsonl] [--static]`.

The labelled set has the format of `cosec check --labelled`; without one, the reference completions of the project's own
scenarios are taken. ``--static`` leaves out the checker that runs programs, which takes seconds a program.

Our own checkers run as that command runs them. For C, the analyzers of gcc and clang and cppcheck run beside them where
they are installed. A warning counts for a program only if it is about the program's own weakness; CWE-119 and its
children are one weakness. A second count takes any warning of the tool. A program that a tool cannot read is unscored.
Prints a Markdown table and the versions.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from cosec.checking.registry import available_checkers
from cosec.evaluation.tasks.scenarios import own_scenarios
from cosec.scanning.labelled import ALL, Labelled, measure, read_labelled

SECONDS = 120.0
BOUNDS = frozenset({118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 129, 131, 786, 787, 788, 805})
FAMILIES = (
    BOUNDS,
    frozenset({190, 191, 194, 195, 197, 680, 681, 682}),
    frozenset({415, 416, 825, 562}),
    frozenset({476, 690, 252}),
    frozenset({77, 78, 88}),
    frozenset({22, 23, 36, 73}),
    frozenset({276, 732}),
)
"""CWEs that tools use for one and the same weakness."""

CLANG_CHECKERS = "core,unix,security,nullability,alpha.security,alpha.unix.cstring,alpha.core.Conversion"
CLANG_CWES = (
    (r"core\.(NullDereference|NonNullParamChecker|CallAndMessage)|nullability|NullArg", 476),
    (r"unix\.Malloc$|StackAddressEscape", 416),
    (r"ArrayBound|OutOfBounds|BufferOverlap|insecureAPI\.(strcpy|gets)|NotNullTerminated|ReturnPtrRange", 787),
    (r"MallocOverflow|alpha\.core\.Conversion|MallocSizeof", 190),
    (r"taint|Taint", 78),
)
"""Names of clang's checkers -> CWE, as clang itself gives no numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: programs with and without the weakness that a tool warned about."""

    tool: str
    found: frozenset[str]
    """Ids of weak programs."""

    weak: int
    alarms: int
    sound: int
    unscored: int
    seconds: float
    any_found: int | None = None
    """Weak programs with any warning."""

    any_alarms: int | None = None


Warnings = frozenset[int] | None
"""CWEs of a tool's warnings, 0 for a warning without; None where it cannot read the program."""


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def gcc(path: Path) -> Warnings:
    """Warnings of ``gcc -fanalyzer``; it needs ``-O0`` and no ``-w``."""
    done = _run(["gcc", "-std=gnu11", "-O0", "-fanalyzer", "-c", path.name, "-o", "/dev/null"], path.parent)
    if done.returncode != 0:
        return None
    said = [line for line in done.stderr.splitlines() if "[-Wanalyzer" in line]
    return frozenset(int(match[1]) if (match := re.search(r"\[CWE-(\d+)\]", line)) else 0 for line in said)


def clang(program: str) -> Callable[[Path], Warnings]:
    """Warnings of clang's analyzer, with its security checkers that are still in trial."""

    def run(path: Path) -> Warnings:
        chosen = ["-Xclang", f"-analyzer-checker={CLANG_CHECKERS}", "--analyzer-output", "text"]
        done = _run([program, "--analyze", *chosen, "-std=gnu11", path.name], path.parent)
        if done.returncode != 0:
            return None
        names = re.findall(r"warning: .*\[([\w.]+)(?:,[\w.]+)*\]$", done.stderr, re.MULTILINE)
        numbers = (next((cwe for pattern, cwe in CLANG_CWES if re.search(pattern, name)), 0) for name in names)
        return frozenset(numbers)

    return run


def cppcheck(path: Path) -> Warnings:
    """Warnings and errors of cppcheck, style left out."""
    options = ["--enable=warning,portability", "--inconclusive", "--xml", "--quiet"]
    done = _run(["cppcheck", *options, path.name], path.parent)
    errors = list(ElementTree.fromstring(done.stderr).iter("error"))
    if any(one.get("id") == "syntaxError" for one in errors):
        return None
    kept = (one for one in errors if one.get("severity") in {"error", "warning", "portability"})
    return frozenset(int(one.get("cwe", "0")) for one in kept)


def counting(cwe: str) -> frozenset[int]:
    """The CWEs that count for a program about ``cwe`` (``CWE-787``)."""
    number = int(cwe.removeprefix("CWE-"))
    return next((family for family in FAMILIES if number in family), frozenset({number}))


def outside(name: str, run: Callable[[Path], Warnings], programs: Iterable[Labelled]) -> Row:
    """Run a tool of others over C programs."""
    row = Row(
        tool=name, found=frozenset(), weak=0, alarms=0, sound=0, unscored=0, seconds=0.0, any_found=0, any_alarms=0
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for index, one in enumerate(programs):
            path = Path(folder) / f"{index}.c"
            path.write_text(one.code, encoding="utf-8")
            warnings = run(path)
            right = bool(warnings and (one.cwe is None or warnings & counting(one.cwe)))
            row = replace(
                row,
                found=row.found | ({one.id} if right and one.vulnerable else set()),
                weak=row.weak + one.vulnerable,
                alarms=row.alarms + (right and not one.vulnerable),
                sound=row.sound + (not one.vulnerable),
                unscored=row.unscored + (warnings is None),
                any_found=(row.any_found or 0) + (bool(warnings) and one.vulnerable),
                any_alarms=(row.any_alarms or 0) + (bool(warnings) and not one.vulnerable),
            )
    return replace(row, seconds=time.perf_counter() - started)


def ours(checker: str, programs: Sequence[Labelled]) -> Row:
    """Run one of our checkers."""
    started = time.perf_counter()
    measured = measure(programs, checkers=[checker])
    if measured.errors:
        raise SystemExit("\n".join(measured.errors))
    counts = measured.groups[ALL]
    found = {one.id for one in programs if one.vulnerable}.difference(measured.missed)
    return Row(
        tool=f"`{checker}`",
        found=frozenset(found),
        weak=counts.found + counts.missed,
        alarms=counts.alarms,
        sound=counts.alarms + counts.silent,
        unscored=counts.unscored,
        seconds=time.perf_counter() - started,
    )


def version(program: str) -> str:
    """The first line of ``program --version``."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0]


def references() -> list[Labelled]:
    """The reference completions of our scenarios, each with its open prompt."""
    return [
        Labelled(
            id=f"{scenario.id}/{index}",
            code=scenario.prompt + reference.code,
            language=scenario.language,
            cwe=scenario.cwe,
            vulnerable=not reference.secure,
        )
        for scenario in own_scenarios()
        if scenario.depth == "open"
        for index, reference in enumerate(scenario.references)
    ]


def show(language: str, rows: Sequence[Row]) -> None:
    """Print a Markdown table; ``adds`` is what a tool finds that the first one does not."""
    print(f"\n| {language} | found | adds | false alarms | any warning: weak, sound | unscored | seconds |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    for row in rows:
        adds = "" if row is rows[0] else len(row.found - rows[0].found)
        loose = "" if row.any_found is None else f"{row.any_found}/{row.weak}, {row.any_alarms}/{row.sound}"
        counts = f"{len(row.found)}/{row.weak} | {adds} | {row.alarms}/{row.sound} | {loose} | {row.unscored}"
        print(f"| {row.tool} | {counts} | {row.seconds:.1f} |")  # noqa: T201


def main() -> None:
    """Compare what is installed here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", type=Path, nargs="?")
    parser.add_argument("--static", action="store_true")
    asked = parser.parse_args()
    programs = references() if asked.labelled is None else read_labelled(asked.labelled)
    by_language = {language: [one for one in programs if one.language == language] for language in ("py", "c")}
    here = [name for name in available_checkers() if name != "codeql" and not (asked.static and name == "sanitizer")]
    python = [name for name in ("flow", "semgrep") if name in here]
    show("Python", [ours(name, by_language["py"]) for name in python])
    rows = [ours(name, by_language["c"]) for name in ("c-static", "semgrep", "sanitizer") if name in here]
    tools: list[tuple[str, str, Callable[[Path], Warnings]]] = [("gcc", "gcc -fanalyzer", gcc)]
    tools += [(name, f"{name} --analyze", clang(name)) for name in ("clang-19", "clang") if shutil.which(name)][:1]
    tools += [("cppcheck", "cppcheck", cppcheck)]
    tools = [tool for tool in tools if shutil.which(tool[0])]
    rows += [outside(name, run, by_language["c"]) for _, name, run in tools]
    show("C", rows)
    print("\n" + json.dumps({program: version(program) for program, _, _ in tools}))  # noqa: T201


if __name__ == "__main__":
    main()
