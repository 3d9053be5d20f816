"""Measure `cosec check` on a folder, without and with kept judgements: `benchmarks/check_tree.py FOLDER [--jobs N]`.

Runs the command twice with a cache folder of its own. Prints for each run the wall time, the processor time of all
processes, the largest sum of their memory, and what was found. The memory is sampled from ``/proc`` and includes pages
that processes share.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SECONDS_BETWEEN_SAMPLES = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command."""

    seconds: float
    processor_seconds: float
    megabytes: float
    report: str


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process and its descendants."""
    total = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            for thread in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # it has ended
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def run(folder: Path, cache: Path, options: list[str]) -> Run:
    """Run the command once."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    program = "import sys; from cosec.cli.main import main; sys.exit(main(sys.argv[1:]))"
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "check", str(folder), "--format", "json", "--fail-on", "never", *options],
            stdout=out,
            env={**os.environ, "COSEC_CACHE": str(cache)},
        )
        most = 0
        while process.poll() is None:
            most = max(most, memory_of(process.pid))
            time.sleep(SECONDS_BETWEEN_SAMPLES)
        seconds = time.perf_counter() - started
        out.seek(0)
        report = json.load(out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(
        seconds=seconds,
        processor_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        megabytes=most / 1e6,
        report=f"{report['files']} files, {len(report['findings'])} findings, {len(report['unscored'])} unscored",
    )


def main() -> None:
    """Measure a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int)
    asked = parser.parse_args()
    options = [] if asked.jobs is None else ["--jobs", str(asked.jobs)]
    with tempfile.TemporaryDirectory() as cache:
        for title in ("first", "again"):
            one = run(asked.folder, Path(cache), options)
            print(  # noqa: T201
                f"{title}: {one.seconds:.1f} s, processor {one.processor_seconds:.1f} s, "
                f"memory {one.megabytes:.0f} MB, {one.report}"
            )


if __name__ == "__main__":
    main()
