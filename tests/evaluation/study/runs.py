from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.judge_worker import JudgeWorker
from cosec.evaluation.study.manifest import open_study
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.settings import StudySettings, study_settings
from cosec.evaluation.study.study import Step, Study
from cosec.evaluation.study.units import units_of
from tests.evaluation.scripted import TEXTS, InlineJudge, ScriptedGenerator, judges, write_scenarios


def settings(scenarios: Path, **changes: object) -> StudySettings:
    benchmark = {"name": "tiny", "scenarios": str(scenarios), "depth": "decision", "samples": 20}
    return study_settings(
        {"arms": ("origin", "gate:strength=0.1"), "seeds": (0, 1), "benchmarks": (benchmark,), **changes}
    )


def run(
    chosen: StudySettings,
    out: Path,
    pause: float = 0.0,
    judged_by: Judges | None = None,
    beside: bool = False,
    checkers: str = "a",
    rejudge: bool = False,
) -> list[Step]:
    steps: list[Step] = []
    units = units_of(chosen)
    folder = StudyFolder(out)
    open_study(folder, chosen, units, {}, judges=checkers, rejudge=rejudge)

    def generator(arm: DecodingArm) -> ScriptedGenerator:
        return ScriptedGenerator(arm, pause)

    judging = JudgeWorker(out, judged_by or judges()) if beside else InlineJudge(folder, judged_by or judges())
    try:
        Study(chosen, folder, units, generator=generator, judge=judging, on_step=steps.append).run()
    finally:
        if isinstance(judging, JudgeWorker):
            judging.close()
    return steps


def run_chat(root: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """A study whose answers are chats: prose around a block that repeats the last line of the prompt."""
    answers = [f"Here it is:\n\n```python\n    connection.execute({text}\n```\n\nThat is all." for text in TEXTS[:3]]
    monkeypatch.setattr("tests.evaluation.scripted.TEXTS", answers)
    benchmark = {"name": "tiny", "scenarios": str(write_scenarios(root / "scenarios")), "depth": "decision"}
    chosen = settings(root, seeds=(0,), benchmarks=({**benchmark, "samples": 20, "format": "chat"},))
    run(chosen, root / "out")
    return StudyFolder(root / "out")


def without_times(out: Path) -> dict[str, list[str]]:
    """Every record of a study as text, by file, with the seconds taken out."""
    found = {}
    for file in sorted(out.rglob("*.jsonl")):
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for record in records:
            record.pop("seconds", None)
        found[str(file.relative_to(out))] = [json.dumps(record, sort_keys=True) for record in records]
    return found
