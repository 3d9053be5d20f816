"""What a study costs beside the bare engine, and whether two are equal: `benchmarks/study_rate.py OUT`.

The same small study on the embedded model, twice: first everything is generated, then everything is judged; then again
with the judging beside. Tokens per second of both against the engine's own speed with 25 rows, and whether the records
of both are the same bytes once the times are taken out. Writes one JSON file with the versions. Run it on an idle
machine; it takes about eight minutes on two cores.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cosec import load_pair
from cosec.decoding.pairing import PreparedPair
from cosec.evaluation.environment import environment
from cosec.evaluation.judging.identity import judges_version
from cosec.evaluation.judging.judges import default_judges
from cosec.evaluation.speed import measure_speed
from cosec.evaluation.study.generation.generator import LocalGenerator
from cosec.evaluation.study.judge_units import RecordedUnit, judge_unit
from cosec.evaluation.study.judge_worker import JudgeWorker, UnitJudge
from cosec.evaluation.study.manifest import open_study
from cosec.evaluation.study.records import COMPLETIONS, StudyFolder
from cosec.evaluation.study.settings import study_settings
from cosec.evaluation.study.study import Study
from cosec.evaluation.study.units import units_of
from cosec.evaluation.tasks.demo_prompts import demo_prompts

ROWS = 48
"""What `cosec study` keeps running."""
TIMED = ("seconds",)
SETTINGS: dict[str, Any] = {
    "name": "rate",
    "arms": ["origin", "cosec"],
    "seeds": [0],
    "benchmarks": [
        {"name": "own-open", "scenarios": "own", "depth": "open", "samples": 10, "max_new_tokens": 128, "limit": 30}
    ],
}


class JudgingAfter:
    """Judges when everything is generated; remembers when that was."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder
        self._units: list[RecordedUnit] = []
        self.began = 0.0

    def submit(self, unit: RecordedUnit) -> None:
        """See `UnitJudge`."""
        self._units.append(unit)

    def wait(self) -> None:
        """See `UnitJudge`."""
        self.began = self.began or time.perf_counter()
        while self._units:
            judge_unit(self._folder, self._units.pop(), default_judges())


def study(pair: PreparedPair, out: Path, arm: str, judging: UnitJudge) -> int:
    """Run it; tokens generated."""
    settings = study_settings({**SETTINGS, "arms": [arm]})
    folder, units = StudyFolder(out), units_of(settings)
    open_study(folder, settings, units, {}, judges=judges_version())
    Study(
        settings,
        folder,
        units,
        generator=lambda one: LocalGenerator(pair, one, rows=ROWS),
        judge=judging,
        on_step=lambda _: None,
    ).run()
    return sum(one["tokens"] for _, one in folder.records(COMPLETIONS))


def untimed(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Every record of a study by file, without its times."""
    return {
        str(file.relative_to(out)): [
            {name: value for name, value in json.loads(line).items() if name not in TIMED}
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        for file in sorted(out.rglob("*.jsonl"))
    }


def measured_arm(pair: PreparedPair, folder: Path, arm: str, engine: float) -> dict[str, Any]:
    """One arm: generated and judged one after the other, then again with the judging beside."""
    apart, beside = folder / "apart", folder / "beside"
    after = JudgingAfter(StudyFolder(apart))
    started = time.perf_counter()
    tokens = study(pair, apart, arm, after)
    judged = time.perf_counter()
    with JudgeWorker(beside, default_judges()) as judging:
        study(pair, beside, arm, judging)
    together = time.perf_counter() - judged
    records, again = untimed(apart), untimed(beside)
    return {
        "tokens": tokens,
        "generation_seconds": after.began - started,
        "generation_share_of_engine": tokens / (after.began - started) / engine,
        "judging_seconds": judged - after.began,
        "judged_beside_seconds": together,
        "judged_beside_share_of_engine": tokens / together / engine,
        "records": sum(map(len, records.values())),
        "files_that_differ_in_the_second_run": [name for name in records if records[name] != again.get(name)],
    }


def measured() -> dict[str, Any]:
    """The rates of both arms, and what a second run differs in."""
    pair = load_pair("smollm2-135m")
    speed = measure_speed(pair, demo_prompts()[0].text, batch=25, rounds=3)
    engine = {"origin": 500 / speed.target_seconds_per_20, "cosec": 500 / speed.hardened_seconds_per_20}
    with tempfile.TemporaryDirectory() as folder:
        arms = {arm: measured_arm(pair, Path(folder, arm), arm, engine[arm]) for arm in SETTINGS["arms"]}
    return {"engine_tokens_per_second": engine, "arms": arms}


if __name__ == "__main__":
    record = {"command": "python benchmarks/study_rate.py", **measured(), "environment": environment()}
    Path(sys.argv[1]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record["arms"]))  # noqa: T201
