"""The teacher of an alignment run, which is loaded only if it has to predict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.distributed.device_mesh import DeviceMesh
from transformers import PreTrainedModel

from cosec.errors import SettingsError
from cosec.training.alignment.objective import Predictor
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.alignment.teacher_cache import Part, TeacherCache
from cosec.training.data.packing import PackedExample
from cosec.training.loop.fast_linear import speed_up
from cosec.training.loop.progress import Progress
from cosec.training.loop.sharding import shard
from cosec.training.losses.fused_distillation import top_tokens
from cosec.training.losses.top_tokens import TopTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """The larger model before loading. It is never loaded if all its distributions are stored."""

    load: Callable[[], PreTrainedModel]
    """Loads the model; called at most once."""

    name: str
    sha256: str
    """Fingerprint of its weights."""

    dtype: str
    """Type that it computes in, such as ``float32``."""


def load_teacher(teacher: Teacher, accelerator: Accelerator, mesh: DeviceMesh | None) -> Any:
    """Load the model, frozen.

    Args:
        teacher: The model.
        accelerator: Provides the device and the processes.
        mesh: The processes that share its weights. They load it in turn, so that the machine holds one whole copy at
            a time. None gives each process a copy of its own.
    """
    if mesh is None:
        return _frozen(teacher).to(accelerator.device)
    model = None
    for turn in range(accelerator.num_processes):
        if turn == accelerator.process_index:
            model = _frozen(teacher)
            shard(model, mesh)
        accelerator.wait_for_everyone()
    return model


def _frozen(teacher: Teacher) -> Any:
    model = teacher.load().requires_grad_(False)
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
    mesh: DeviceMesh | None,
    progress: Progress,
) -> TeacherCache:
    """Open the teacher's cache and let the teacher compute the missing distributions.

    Args:
        folder: As for ``TeacherCache``.
        teacher: Loaded only if distributions are missing.
        examples: As for ``TeacherCache``.
        settings: How many tokens of each distribution are kept, and in which type.
        data_sha256: Hash of the files that the examples come from.
        vocabulary: Number of entries that teacher and student share.
        accelerator: Provides the processes that share the work, and the device.
        mesh: As for ``load_teacher``.
        progress: Receives the events of the run.

    Raises:
        SettingsError: If the whole vocabulary would be kept.
        TrainingError: If the folder belongs to other data or another teacher.
    """
    if settings.teacher_top_k >= vocabulary:
        raise SettingsError(
            f"--teacher-top-k {settings.teacher_top_k} keeps the whole vocabulary ({vocabulary} tokens);"
            " choose fewer, or train without --teacher-cache."
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
    _fill(cache, teacher, settings, vocabulary, accelerator, mesh, progress)
    return cache


def _fill(
    cache: TeacherCache,
    teacher: Teacher,
    settings: AlignmentSettings,
    vocabulary: int,
    accelerator: Accelerator,
    mesh: DeviceMesh | None,
    progress: Progress,
) -> None:
    """Let the teacher predict what is missing, each process its share."""
    missing = cache.missing()
    accelerator.wait_for_everyone()
    if missing:
        predictor = Predictor(load_teacher(teacher, accelerator, mesh))
        rounds = -(-len(missing) // accelerator.num_processes)
        share = missing[accelerator.process_index :: accelerator.num_processes]
        if accelerator.is_main_process:
            progress.teaching(examples=rounds)

        @torch.no_grad()
        def distributions(example: PackedExample) -> TopTokens:
            found = top_tokens(predictor.project(example), vocabulary=vocabulary, count=settings.teacher_top_k)
            predictor.release()
            return found

        cache.fill(share, distributions, on_done=progress.taught if accelerator.is_main_process else lambda: None)
        if mesh is not None and len(share) < rounds:
            # The others gather the teacher's weights once more, which takes all processes.
            distributions(cache.example(missing[0]))
        accelerator.wait_for_everyone()
