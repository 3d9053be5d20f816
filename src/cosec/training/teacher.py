"""The teacher of an alignment run: loaded only where it must predict, on the fly or once for a cache.

Knows nothing about students.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers import PreTrainedModel

from cosec.errors import SettingsError
from cosec.training.alignment_objective import Predictor
from cosec.training.alignment_settings import AlignmentSettings
from cosec.training.fast_linear import speed_up
from cosec.training.fused_distillation import top_tokens
from cosec.training.packing import PackedExample
from cosec.training.progress import Progress
from cosec.training.teacher_cache import Part, TeacherCache
from cosec.training.top_tokens import TopTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """The larger model, not loaded yet: where all its distributions are stored it never is."""

    load: Callable[[], PreTrainedModel]
    """Gives the model; called at most once."""

    name: str
    sha256: str
    """Fingerprint of its weights."""

    dtype: str
    """Type it computes in, as ``float32``."""


def load_teacher(teacher: Teacher, device: torch.device) -> Any:
    """Load the model, frozen."""
    model = teacher.load().requires_grad_(False).to(device)  # type: ignore[arg-type]
    speed_up(model)
    return model


def fill_cache(
    folder: Path,
    teacher: Teacher,
    examples: Mapping[Part, Sequence[PackedExample]],
    settings: AlignmentSettings,
    *,
    data_sha256: str,
    vocabulary: int,
    accelerator: Accelerator,
    progress: Progress,
) -> TeacherCache:
    """Open the teacher's cache for some examples and let the teacher compute what it lacks.

    Args:
        folder: As for ``TeacherCache``.
        teacher: Loaded only where something is missing.
        examples: As for ``TeacherCache``.
        settings: How much is kept of each distribution, and how.
        data_sha256: Of the files that the examples were made from.
        vocabulary: Entries that teacher and student share.
        accelerator: The processes that share the work, and the device.
        progress: Told what happens.

    Raises:
        SettingsError: If as many tokens are to be kept as there are.
        TrainingError: If the folder belongs to other data or another teacher.
    """
    if settings.teacher_top_k >= vocabulary:
        raise SettingsError(
            f"--teacher-top-k {settings.teacher_top_k} keeps the whole vocabulary ({vocabulary} tokens);"
            " choose fewer, or train without --teacher-cache"
        )
    made_from = {
        "teacher": teacher.sha256,
        "teacher_dtype": teacher.dtype,
        "vocabulary": vocabulary,
        "data": data_sha256,
    }
    with accelerator.main_process_first():
        cache = TeacherCache(
            folder, examples, made_from, top_k=settings.teacher_top_k, stored_type=settings.teacher_stored_type
        )
    _fill(cache, teacher, settings, vocabulary, accelerator, progress)
    return cache


def _fill(
    cache: TeacherCache,
    teacher: Teacher,
    settings: AlignmentSettings,
    vocabulary: int,
    accelerator: Accelerator,
    progress: Progress,
) -> None:
    """Let the teacher predict what is missing, each process its share."""
    missing = cache.missing()
    accelerator.wait_for_everyone()
    if missing:
        predictor = Predictor(load_teacher(teacher, accelerator.device))
        if accelerator.is_main_process:
            progress.teaching(examples=-(-missing // accelerator.num_processes))

        @torch.no_grad()
        def distributions(example: PackedExample) -> TopTokens:
            return top_tokens(predictor.project(example), vocabulary=vocabulary, count=settings.teacher_top_k)

        cache.fill(
            distributions,
            process=accelerator.process_index,
            processes=accelerator.num_processes,
            on_done=progress.taught if accelerator.is_main_process else lambda: None,
        )
        accelerator.wait_for_everyone()
