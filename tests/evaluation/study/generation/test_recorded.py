from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cosec.errors import StudyError
from cosec.evaluation.study.arms import parse_arm
from cosec.evaluation.study.generation.recorded import RecordedSource
from cosec.evaluation.study.records import COMPLETIONS, StudyFolder
from cosec.evaluation.study.units import units_of
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, settings


def test_a_study_with_missing_completions_is_not_only_judged(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin",), seeds=(0,)), tmp_path / "out")
    with pytest.raises(StudyError, match="lacks 60 completions; run the same command without --judge-only"):
        RecordedSource(StudyFolder(tmp_path / "out"), units_of(settings(scenarios, arms=("origin",))))


def test_a_study_of_other_prompts_is_not_said_to_lack_completions(tmp_path: Path) -> None:
    chosen, folder = settings(write_scenarios(tmp_path / "scenarios")), StudyFolder(tmp_path / "out")
    run(chosen, folder.path)
    first, *others = units_of(chosen)
    task = replace(first.tasks[0], id="new", prompt="def other():")
    grown = replace(first, tasks=(*first.tasks, task))
    with pytest.raises(StudyError, match="holds completions of other prompts"):
        RecordedSource(folder, [grown, *others])


def test_the_models_of_a_recorded_study_are_those_of_its_manifest(tmp_path: Path) -> None:
    chosen, folder = settings(write_scenarios(tmp_path / "scenarios")), StudyFolder(tmp_path / "out")
    run(chosen, folder.path)
    source = RecordedSource(folder, units_of(chosen))
    assert (source.hashes, source.named_hashes) == ({}, {})
    next((folder.path / COMPLETIONS).rglob("*.jsonl")).unlink()
    with pytest.raises(StudyError, match="disappeared"):
        source.generator(parse_arm("origin"))


def test_a_folder_without_a_study_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        RecordedSource(StudyFolder(tmp_path), [])
