"""The manifest of a study: what it computes, from which models, and who judged it.

A folder holds one study. Opening it with other settings is refused, so records of two studies never mix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cosec.evaluation.judging.identity import study_version
from cosec.evaluation.study import judgements
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.study.units import Unit

GROWING = ("arms", "seeds", "security_models", "security_models_sha256")
"""What a study may gain later: units belong to one arm and one seed."""


def open_study(
    folder: StudyFolder,
    settings: StudySettings,
    units: Sequence[Unit],
    models: Mapping[str, Any],
    *,
    named: Mapping[str, str] | None = None,
    environment: Mapping[str, Any] | None = None,
    checkers: str,
    rejudge: bool = False,
) -> None:
    """Write a study's manifest, or check that the folder's study is this one, with perhaps fewer arms or seeds.

    Args:
        folder: Where it lies.
        settings: What it computes.
        units: All of it.
        models: Hashes of the weights.
        named: The same of ``security_models``, as far as arms take them.
        environment: The machine and versions, for the record.
        checkers: Version of the judges.
        rejudge: Judge what is recorded again, if other checkers or tests judged it.

    Raises:
        StudyError: If the folder holds another study (names the setting that differs), or one that other checkers
            judged in part.
    """
    version = study_version(
        checkers, ((unit.benchmark.name, unit.benchmark.functional, task) for unit in units for task in unit.tasks)
    )
    each = sum(unit.size for unit in units) // (len(settings.arms) * len(settings.seeds))
    manifest = {
        "name": settings.name,
        "identity": {**identity(settings, units, models), "security_models_sha256": dict(named or {})},
        "completions_each": each,
        "environment": dict(environment or {}),
        **judgements.first_judgement(version),
    }
    folder.open(manifest, GROWING)
    if rejudge:
        judgements.judge_again(folder, version)
    verdicts = judgements.current_verdicts(folder)
    if any(folder.count(verdicts, unit.name) < unit.size for unit in units):
        judgements.refuse_other_version(folder, version)


def identity(settings: StudySettings, units: Sequence[Unit], models: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs must share for one to continue the other: settings but for the title, prompts, models."""
    prompts = sorted({f"{unit.benchmark.name}\0{task.id}\0{task.prompt}" for unit in units for task in unit.tasks})
    digest = hashlib.sha256("\0".join(prompts).encode()).hexdigest()
    return {**settings.model_dump(mode="json", exclude={"name"}), "prompts_sha256": digest, "models": dict(models)}
