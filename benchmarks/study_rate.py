"""What a study costs beside the bare engine, and whether two are equal: `benchmarks/study_rate.py OUT`.

The same small study on the embedded model, twice, with everything judged beside: the tokens per second from its start
to its last verdict against the engine's own speed with 25 rows, and whether the records of both are the same bytes
once the times are taken out. Writes one JSON file with the versions. Run it on an idle machine; it takes about four
minutes on two cores.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cosec.cli.demo import demo_prompts
from cosec.cli.generate import load
from cosec.decoding.pairing import PreparedPair
from cosec.evaluation.environment import environment
from cosec.evaluation.generation import LocalGenerator
from cosec.evaluation.judges import default_judges, judges_version
from cosec.evaluation.records import StudyFolder
from cosec.evaluation.speed import measure_speed
from cosec.evaluation.study import Study, open_study, study_settings, units_of
from cosec.evaluation.unit_judging import COMPLETIONS, JudgingBeside

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


def study(pair: PreparedPair, out: Path, arm: str) -> tuple[int, float]:
    """Tokens generated and seconds taken, from the start to the last verdict."""
    settings = study_settings({**SETTINGS, "arms": [arm]})
    folder, units = StudyFolder(out), units_of(settings)
    open_study(folder, settings, units, {}, checkers=judges_version())
    started = time.perf_counter()
    with JudgingBeside(out, default_judges()) as judging:
        Study(
            settings,
            folder,
            units,
            generator=lambda one: LocalGenerator(pair, one, rows=ROWS),
            judging=judging,
            on_step=lambda _: None,
        ).run()
    seconds = time.perf_counter() - started
    return sum(one["tokens"] for _, one in folder.records(COMPLETIONS)), seconds


def untimed(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Every record of a study by file, without its times."""
    return {
        str(file.relative_to(out)): [
            {name: value for name, value in json.loads(line).items() if name not in TIMED}
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        for file in sorted(out.rglob("*.jsonl"))
    }


def measured() -> dict[str, Any]:
    """The rates of both arms, and whether a second run differs."""
    pair = load("smollm2-135m", "default", "auto", None)
    speed = measure_speed(pair, demo_prompts()[0].text, batch=25, rounds=3)
    engine = {"origin": 500 / speed.target_seconds_per_20, "cosec": 500 / speed.hardened_seconds_per_20}
    found: dict[str, Any] = {"engine_tokens_per_second": engine, "arms": {}}
    with tempfile.TemporaryDirectory() as folder:
        for arm in SETTINGS["arms"]:
            first, second = Path(folder, arm, "first"), Path(folder, arm, "second")
            tokens, seconds = study(pair, first, arm)
            study(pair, second, arm)
            records = untimed(first)
            found["arms"][arm] = {
                "tokens": tokens,
                "seconds": seconds,
                "tokens_per_second": tokens / seconds,
                "share_of_engine": tokens / seconds / engine[arm],
                "records": sum(map(len, records.values())),
                "second_run_equal": records == untimed(second),
            }
    return found


if __name__ == "__main__":
    record = {"command": "python benchmarks/study_rate.py", **measured(), "environment": environment()}
    Path(sys.argv[1]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record["arms"]))  # noqa: T201
