"""Studies: arms, seeds and benchmarks, completed and judged, and continued where they were stopped."""

from cosec.evaluation.study.arms import DecodingArm, parse_arm
from cosec.evaluation.study.generation import (
    CompletionSource,
    EndpointGenerator,
    Generator,
    LocalGenerator,
    RecordedSource,
    completion_source,
)
from cosec.evaluation.study.judge_units import RecordedUnit, judge_unit, verdict_of
from cosec.evaluation.study.judge_worker import JudgeWorker, UnitJudge
from cosec.evaluation.study.judgements import current_verdicts, judgements_of, note_sandbox
from cosec.evaluation.study.manifest import open_study, recorded_runtime
from cosec.evaluation.study.records import COMPLETIONS, Record, StudyFolder
from cosec.evaluation.study.settings import (
    StudySettings,
    calibration_settings,
    frontier_settings,
    read_recipe,
    study_settings,
)
from cosec.evaluation.study.study import Step, Study
from cosec.evaluation.study.units import Unit, units_of

__all__ = [
    "COMPLETIONS",
    "CompletionSource",
    "DecodingArm",
    "EndpointGenerator",
    "Generator",
    "JudgeWorker",
    "LocalGenerator",
    "Record",
    "RecordedSource",
    "RecordedUnit",
    "Step",
    "Study",
    "StudyFolder",
    "StudySettings",
    "Unit",
    "UnitJudge",
    "calibration_settings",
    "completion_source",
    "current_verdicts",
    "frontier_settings",
    "judge_unit",
    "judgements_of",
    "note_sandbox",
    "open_study",
    "parse_arm",
    "read_recipe",
    "recorded_runtime",
    "study_settings",
    "units_of",
    "verdict_of",
]
