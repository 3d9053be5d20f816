"""The manifest of a study: what it computes, from which models, and who judged it.

A folder holds one study. Opening it with other settings is refused, so records of two studies never mix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.blackbox.text_rule import text_rule
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.judging.identity import study_version
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.judgements import (
    current_verdicts,
    current_version,
    first_judgement,
    judge_again,
    refuse_other_version,
)
from cosec.evaluation.study.records import COMPLETIONS, MANIFEST, StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.study.units import Unit

GROWING = ("arms", "seeds", "security_models", "security_models_sha256", "rules")
"""Parts of the identity that may gain entries later, because every unit belongs to one arm and one seed."""

LATE = {"models": (("security", "adapter", "security dtype"), ("base",))}
"""What a study has once one of its arms uses the security model. ``base`` is an adapter's beside a target that is
hardened as text; studies of earlier releases have the adapter alone.
"""

NEWER = {"security_floor": 0.0}
"""Settings that studies of earlier releases lack, with the value that changes nothing; that value is not recorded."""


def open_study(
    folder: StudyFolder,
    settings: StudySettings,
    units: Sequence[Unit],
    models: Mapping[str, Any],
    *,
    named: Mapping[str, str] | None = None,
    environment: Mapping[str, Any] | None = None,
    judges: str,
    rejudge: bool = False,
    adds_verdicts: bool = True,
) -> bool:
    """Write the manifest of a new study, or check that the folder's study is this one.

    The folder's study may have fewer arms and seeds; new ones are added to its manifest.

    Args:
        folder: The study's folder.
        settings: What the study computes.
        units: All units of the study.
        models: Hashes of the weights.
        named: Hashes of those ``security_models`` that arms use.
        environment: The machine and versions, for the record.
        judges: Version of the judges (`judges_version`).
        rejudge: Begin a new judgement if other checkers or tests judged the study.
        adds_verdicts: Whether the caller judges completions. If not, recorded verdicts may be of any version.

    Returns:
        Whether the last judgement is of the present checkers and tests. It may be of earlier ones if it is complete.

    Raises:
        StudyError: If the folder holds another study (names the setting that differs), or a study that other checkers
            or tests judged in part.
    """
    version = study_version(
        judges, ((unit.benchmark.name, unit.benchmark.functional, task) for unit in units for task in unit.tasks)
    )
    each = sum(unit.size for unit in units) // (len(settings.arms) * len(settings.seeds))
    manifest = {
        "name": settings.name,
        "identity": {
            **identity(settings, units, models),
            "security_models_sha256": dict(named or {}),
            "rules": unfinished_rules(folder, units, models),
        },
        "completions_each": each,
        "environment": dict(environment or {}),
        **first_judgement(version),
    }
    folder.open(manifest, GROWING, LATE, grow=False)  # a run that is refused below leaves the folder as it was
    if rejudge:
        judge_again(folder, version)
    verdicts = current_verdicts(folder)
    if adds_verdicts and any(folder.count(verdicts, unit.name) < unit.size for unit in units):
        refuse_other_version(folder, version)
    folder.open(manifest, GROWING, LATE)
    return current_version(folder) == version


def recorded_runtime(folder: StudyFolder) -> Literal["torch", "llama.cpp"] | None:
    """The runtime of a folder's study, whatever was measured since; None if there is no study yet.

    Raises:
        StudyError: If the manifest cannot be read.
    """
    if not (folder.path / MANIFEST).exists():
        return None
    return "llama.cpp" if folder.manifest()["identity"]["models"].get("runtime") == "llama.cpp" else "torch"


def identity(settings: StudySettings, units: Sequence[Unit], models: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs must share for one to continue the other: settings except the title, prompts and models."""
    chosen = settings.model_dump(mode="json", exclude={"name"})
    return {**chosen, "prompts_sha256": prompts_digest(units), "models": dict(models)}


def unfinished_rules(
    folder: StudyFolder, units: Sequence[Unit], models: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """All settings of the rule of each arm that lacks completions, by the arm's name.

    Finished arms are left out: no completion under other settings is added to them, and a release with other defaults
    may judge them.
    """
    arms = {unit.arm.name: unit.arm for unit in units if folder.count(COMPLETIONS, unit.name) < unit.size}
    return {name: _rule(arm, models) for name, arm in arms.items() if arm.alone is None}


def _rule(arm: DecodingArm, models: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an arm's rule, with their defaults, as they are for the study's target."""
    at_server = is_url(models.get("target", ""))
    as_text = at_server or "base" in models
    rule = text_rule({}, arm.rule, in_process=not at_server) if as_text else arm.rule
    known = decoding_settings(rule, {}).rule.model_dump(mode="json")
    return {name: value for name, value in known.items() if (name, value) not in NEWER.items()}


def prompts_digest(units: Sequence[Unit]) -> str:
    """Digest of all prompts of a study, whatever their order."""
    prompts = sorted({f"{unit.benchmark.name}\0{task.id}\0{task.prompt}" for unit in units for task in unit.tasks})
    return hashlib.sha256("\0".join(prompts).encode()).hexdigest()
