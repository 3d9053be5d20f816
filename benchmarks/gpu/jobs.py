"""Run the jobs of a plan side by side on one GPU, within a time budget.

    python jobs.py PLAN.toml --work DIR --out DIR --seconds 700

A job is a process of its own, so the card is shared. It starts when the jobs that it comes after have ended well. All
state lies in ``--work``: the same command again leaves out what has ended well and goes on with the rest. ``--out``
gets archives of the results as jobs end. ``$WORK`` in a plan is ``--work``, ``$HERE`` the folder of the plan, and other
variables are those of the environment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

COSEC = [sys.executable, "-c", "import sys; from cosec.cli.main import main; sys.exit(main(sys.argv[1:]))"]
"""The program ``cosec``."""

WEIGHTS = "adapter_model.safetensors"
RESERVE = 20.0
"""Seconds at the end in which jobs are stopped and results packed."""

PART_BYTES = 15 * 2**20
"""Largest file in ``--out``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Some equal processes."""

    name: str
    cosec: tuple[str, ...] = ()
    """Arguments of ``cosec``."""
    adapter: str = ""
    """Instead of a command: an adapter that is copied to ``adapters/``, its weights as float16."""
    resume: tuple[str, ...] = ()
    """Further arguments where an earlier run of the job left a checkpoint in its ``--out``."""
    after: tuple[str, ...] = ()
    """Names of the jobs that must have ended."""
    copies: int = 1
    """Number of processes."""
    environment: dict[str, str] = field(default_factory=dict)
    """Further environment variables."""


class Runner:
    """The jobs of a plan and where they stand."""

    def __init__(self, jobs: list[Job], work: Path, out: Path, seconds: float) -> None:
        self._jobs, self._work, self._out, self._seconds = jobs, work, out, seconds
        self._began = time.monotonic()
        self._running: dict[str, list[subprocess.Popen[bytes]]] = {}
        self._failed: set[str] = set()
        """Jobs that are not begun again by this command."""
        for name in ("logs", "state", "adapters"):
            (work / name).mkdir(parents=True, exist_ok=True)

    @property
    def left(self) -> float:
        """Seconds."""
        return self._seconds - (time.monotonic() - self._began)

    def say(self, text: str) -> None:
        """Print and log a line."""
        line = f"[{self._seconds - self.left:6.1f}s] {text}"
        print(line, flush=True)  # noqa: T201 - the log
        with (self._work / "log").open("a") as opened:
            opened.write(line + "\n")

    def run(self) -> None:
        """Run until every job has ended or the time is over."""
        while self.left > RESERVE:
            started = False
            for job in self._jobs:
                begun = job.name in self._running or job.name in self._failed or self._ended(job.name)
                if not begun and all(map(self._ended, job.after)):
                    self._start(job)
                    started = True
            if not self._running and not started:  # all have ended, or failed, or come after one that failed
                break
            self._collect()
            time.sleep(0.5)
        for name, processes in self._running.items():
            self.say(f"{name} is asked to stop")
            for process in processes:
                process.send_signal(signal.SIGINT)
        for process in [one for processes in self._running.values() for one in processes]:
            try:
                process.wait(4)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._pack()

    def _ended(self, name: str) -> bool:
        return (self._work / "state" / f"{name}.ended").is_file()

    def _start(self, job: Job) -> None:
        if job.adapter:
            try:
                copy_adapter(Path(job.adapter), self._work / "adapters")
            except OSError as error:  # its training failed; the other jobs go on
                self.say(f"{job.name}: {error}")
                self._end(job.name, 1)
            else:
                self._end(job.name, 0)
            return
        command = [*COSEC, *job.cosec]
        if job.resume and any((Path(job.cosec[job.cosec.index("--out") + 1]) / "checkpoints").glob("step-*")):
            command += job.resume
        environment = {**os.environ, **job.environment}
        self._running[job.name] = []
        for number in range(job.copies):
            with (self._work / "logs" / f"{job.name}-{number}.log").open("ab") as opened:
                process = subprocess.Popen(command, stdout=opened, stderr=subprocess.STDOUT, env=environment)
            self._running[job.name].append(process)
        self.say(f"{job.name} begins")

    def _collect(self) -> None:
        for name, processes in list(self._running.items()):
            if all(process.poll() is not None for process in processes):
                del self._running[name]
                self._end(name, max(process.returncode for process in processes))
                self._pack()

    def _end(self, name: str, code: int) -> None:
        self.say(f"{name} ends with {code}")
        if code:
            self._failed.add(name)
            return
        (self._work / "state" / f"{name}.ended").write_text(str(code))

    def _pack(self) -> None:
        """Write archives of everything so far to ``--out``, none larger than ``PART_BYTES``."""
        whole = self._work / "results.tar.gz"
        with tarfile.open(whole, "w:gz", compresslevel=1) as archive:
            for name in ("logs", "log", "study", "adapters"):
                if (self._work / name).exists():
                    archive.add(self._work / name, name)
        self._out.mkdir(parents=True, exist_ok=True)
        parts = []
        with whole.open("rb") as opened:
            for number, chunk in enumerate(iter(lambda: opened.read(PART_BYTES), b"")):
                parts.append(self._out / f"results.tar.gz.{number}")
                partial = self._out / f"{parts[-1].name}.partial"
                partial.write_bytes(chunk)
                partial.replace(parts[-1])
        for old in set(self._out.glob("results.tar.gz.*")) - set(parts):
            old.unlink()


def copy_adapter(folder: Path, out: Path) -> None:
    """Copy an adapter or a prefix, its weights as float16."""
    from safetensors.torch import load_file, save_file

    target = out / folder.name
    target.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in load_file(folder / WEIGHTS).items()}, target / WEIGHTS)
    for name in ("adapter_config.json", "manifest.json", "curves.jsonl"):
        shutil.copy(folder / name, target / name)


def read_plan(plan: Path, work: Path) -> list[Job]:
    """The jobs of a plan, with variables written out."""
    os.environ.update(WORK=str(work), HERE=str(plan.resolve().parent))

    def written_out(value: object) -> object:
        if isinstance(value, list):
            return tuple(map(written_out, value))
        if isinstance(value, dict):
            return {name: os.path.expandvars(entry) for name, entry in value.items()}
        return os.path.expandvars(value) if isinstance(value, str) else value

    entries = tomllib.loads(plan.read_text())["job"]
    return [Job(**{name: written_out(value) for name, value in entry.items()}) for entry in entries]


def main() -> None:
    """Run the plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=700)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    Runner(read_plan(options.plan, options.work), options.work, options.out, options.seconds).run()


if __name__ == "__main__":
    main()
