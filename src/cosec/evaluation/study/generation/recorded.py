"""A study whose completions are all recorded, so that it can be judged where its models are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from cosec.errors import StudyError
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.manifest import prompts_digest
from cosec.evaluation.study.records import COMPLETIONS, StudyFolder
from cosec.evaluation.study.units import Unit


class RecordedSource:
    """The recorded models of a study. It generates nothing."""

    def __init__(self, folder: StudyFolder, units: Sequence[Unit]) -> None:
        """Read the hashes of the models from the study's manifest.

        Args:
            folder: The study's folder.
            units: All units of the study.

        Raises:
            StudyError: If the folder holds no study, or one of other prompts, or completions are missing.
        """
        models = folder.manifest()["identity"]
        missing = sum(max(0, unit.size - folder.count(COMPLETIONS, unit.name)) for unit in units)
        if missing and models.get("prompts_sha256") != prompts_digest(units):
            raise StudyError(
                f"{folder.path} holds completions of other prompts: the recipe's scenarios or problems were added or "
                "changed since. Take the recipe and the version that generated them, or choose another --out."
            )
        if missing:
            raise StudyError(
                f"{folder.path} lacks {missing} completions; run the same command without --judge-only first."
            )
        self.hashes: Mapping[str, str] = models["models"]
        """Hashes of the study's own models."""
        self.named_hashes: Mapping[str, str] = models.get("security_models_sha256", {})
        """Hashes of the security models that arms call by name."""

    def generator(self, arm: DecodingArm) -> NoReturn:
        """Refuse to generate: completions disappeared since the study was opened.

        Raises:
            StudyError: Always.
        """
        raise StudyError(f"Completions of the arm {arm.name!r} disappeared; restore the folder, and run again.")
