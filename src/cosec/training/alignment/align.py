"""Alignment, phase 1 of the method: a small model learns to write what a larger one of its family would write.

The output folder is a whole model at any time after the first validation: the best one so far, with ``manifest.json``,
``curves.jsonl`` and ``curves.png``; ``checkpoints/`` holds what ``--resume`` needs. Knows nothing about decoding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.distributed.device_mesh import DeviceMesh
from transformers import PreTrainedTokenizerBase

from cosec.errors import DataError
from cosec.training.alignment.objective import AlignmentModels, AlignmentObjective, checkpoint_gradients
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.alignment.student_folder import WEIGHTS, write_student
from cosec.training.alignment.teacher import Teacher, fill_cache, load_teacher
from cosec.training.data.corpus import load_corpus
from cosec.training.data.overlap import ProtectedTexts
from cosec.training.data.packing import PackedExample, pack, tokenize
from cosec.training.hardening import BaseModel, attach_adapter
from cosec.training.loop.checkpoint import CheckpointStore, RunState
from cosec.training.loop.curves import plots_available
from cosec.training.loop.fast_linear import speed_up
from cosec.training.loop.loop import TrainingLoop
from cosec.training.loop.progress import Progress, SilentProgress
from cosec.training.loop.run_folder import RunFolder, make_accelerator, prepare_folder
from cosec.training.loop.sharding import make_mesh, shard
from cosec.training.settings import FREE_TO_CHANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentPair:
    """Student and teacher, loaded, and what both share."""

    student: BaseModel
    """In float32; its weights are trained."""

    student_folder: Path
    """Where it was loaded from; its tokenizer's files go into the output."""

    teacher: Teacher
    vocabulary: int
    """Entries that both models' heads share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentExamples:
    """A run's data, ready for the loop."""

    training: list[PackedExample]
    validation: list[PackedExample]
    sha256: str
    """Of the files read."""

    record: Mapping[str, Any]
    """For the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentResult:
    """How a run ended."""

    folder: Path
    state: RunState
    interrupted: bool
    """True after Ctrl-C or SIGTERM: the folder holds the best student so far and a checkpoint to resume from."""

    curves_drawn: bool
    """False where matplotlib is missing."""


def align(
    pair: AlignmentPair,
    examples: AlignmentExamples,
    settings: AlignmentSettings,
    out: Path,
    *,
    resume: bool = False,
    teacher_cache: Path | None = None,
    progress: Progress | None = None,
) -> AlignmentResult:
    """Train the student and keep it as it was at its lowest validation loss.

    Args:
        pair: Who learns from whom.
        examples: From ``prepare_alignment``.
        settings: What to compute.
        out: The student's folder; must not hold a run, unless ``resume``.
        resume: Continue from the newest checkpoint in ``out``; the weights become those of an uninterrupted run.
        teacher_cache: Folder of the teacher's distributions, filled where it is not yet; None lets the teacher run for
            every example of every epoch, and the divergences are exact.
        progress: Told what happens.

    Raises:
        TrainingError: If training cannot go on, ``out`` holds another run, or ``teacher_cache`` belongs to another.
    """
    accelerator = make_accelerator()
    mesh = make_mesh(accelerator, settings.sharding)
    stored = _describe_cache(settings) if teacher_cache else "no"
    store = CheckpointStore(out, {**_identity(pair, examples, settings), "teacher cache": stored}, keep_epochs=False)
    prepare_folder(out, store, accelerator, resume=resume)
    watcher = progress or SilentProgress()
    teacher = _prepare_teacher(pair, examples, settings, teacher_cache, accelerator, mesh, watcher)
    student = prepare_student(pair.student, settings, accelerator.device, mesh)
    run_folder = RunFolder(
        out,
        write_weights=lambda folder: write_student(student, pair.student_folder, folder),
        weights=(WEIGHTS, "model"),
        facts={"phase": "alignment", **_facts(pair), "teacher_cache": stored},
        data=examples.record,
        settings=settings,
        store=store,
        panels=("loss", "ce", "kl"),
        accelerator=accelerator,
    )
    models = AlignmentModels(student=student, teacher=teacher, vocabulary=pair.vocabulary)
    outcome = TrainingLoop(
        objective=AlignmentObjective(models, settings),
        parameters={name: value for name, value in student.named_parameters() if value.requires_grad},
        training=examples.training,
        validation=examples.validation,
        settings=settings,
        store=store,
        accelerator=accelerator,
        progress=watcher,
        on_validated=run_folder.publish,
    ).run(resume=resume)
    run_folder.close(outcome.state, interrupted=outcome.interrupted)
    return AlignmentResult(
        folder=out, state=outcome.state, interrupted=outcome.interrupted, curves_drawn=plots_available()
    )


def prepare_alignment(
    tokenizer: PreTrainedTokenizerBase,
    data: Sequence[Path],
    settings: AlignmentSettings,
    protected: ProtectedTexts | None,
) -> AlignmentExamples:
    """Read, split, tokenize and pack the documents.

    Args:
        tokenizer: The one that student and teacher share.
        data: As for ``load_corpus``.
        settings: Lengths, split and seed.
        protected: Documents that overlap with these are left out; None leaves nothing out.

    Raises:
        DataError: If the data cannot be read, or nothing is left to train on.
        ModelError: If the tokenizer cannot tell which characters a token covers.
    """
    corpus = load_corpus(data, validation_share=settings.validation_share, seed=settings.seed, protected=protected)
    rows: dict[str, list[PackedExample]] = {}
    too_long = 0
    for part, documents in (("training", corpus.training), ("validation", corpus.validation)):
        pieces, left_out = tokenize(documents, tokenizer, max_tokens=settings.max_tokens)
        too_long += left_out
        rows[part] = pack(pieces, max_tokens=settings.max_tokens, seed=settings.seed, together=settings.packing)
    if not rows["training"]:
        raise DataError(
            f"No document fits into --max-tokens {settings.max_tokens} ({too_long} are longer); raise --max-tokens."
        )
    record = {
        "sha256": corpus.sha256,
        "training_documents": len(corpus.training),
        "validation_documents": len(corpus.validation),
        "examples_per_epoch": len(rows["training"]),
        "tokens_per_epoch": sum(len(row.token_ids) for row in rows["training"]),
        "learned_tokens_per_epoch": sum(int(row.predicted.sum()) for row in rows["training"]),
        "validation_tokens": sum(len(row.token_ids) for row in rows["validation"]),
        "skipped": {**corpus.skipped, **({"too long": too_long} if too_long else {})},
        "checked_for_overlap_with": list(protected.sources) if protected else [],
        "overlapping": list(corpus.overlapping),
        **({"split": "by prompt"} if corpus.split_by_prompt else {}),
    }
    return AlignmentExamples(
        training=rows["training"], validation=rows["validation"], sha256=corpus.sha256, record=record
    )


def prepare_student(
    student: BaseModel, settings: AlignmentSettings, device: torch.device, mesh: DeviceMesh | None
) -> Any:
    """Make the weights that are to be trained trainable, all of them or those of a fresh adapter; dropout stays off.

    Args:
        student: On any device.
        settings: What is trained, and how.
        device: Where it shall be.
        mesh: The processes that its weights are divided among; None keeps them whole.
    """
    # Divided weights go to the device a layer at a time.
    place = device if mesh is None else student.model.device
    if settings.train == "lora":
        model = attach_adapter(student, settings, place)
    else:
        model = student.model.requires_grad_(True).to(place)  # type: ignore[arg-type]
    model.eval()
    speed_up(model)
    if settings.gradient_checkpointing:
        checkpoint_gradients(model)
    if mesh is not None:
        shard(model.get_base_model() if settings.train == "lora" else model, mesh)
    return model


def _prepare_teacher(
    pair: AlignmentPair,
    examples: AlignmentExamples,
    settings: AlignmentSettings,
    cache: Path | None,
    accelerator: Accelerator,
    mesh: DeviceMesh | None,
    progress: Progress,
) -> Any:
    """The model, or its distributions for these examples."""
    if cache is None:
        return load_teacher(pair.teacher, accelerator, mesh)
    return fill_cache(
        cache,
        pair.teacher,
        {"training": examples.training, "validation": examples.validation},
        settings,
        data_sha256=examples.sha256,
        vocabulary=pair.vocabulary,
        accelerator=accelerator,
        mesh=mesh,
        progress=progress,
    )


def _facts(pair: AlignmentPair) -> dict[str, Any]:
    facts = {
        role: {"name": model.name, "sha256": model.sha256}
        for role, model in (("student", pair.student), ("teacher", pair.teacher))
    }
    facts["teacher"]["dtype"] = pair.teacher.dtype
    return facts


def _describe_cache(settings: AlignmentSettings) -> dict[str, Any]:
    return {"top_k": settings.teacher_top_k, "stored_type": settings.teacher_stored_type}


def _identity(pair: AlignmentPair, examples: AlignmentExamples, settings: AlignmentSettings) -> dict[str, Any]:
    """What two runs must share for one to continue the other."""
    # Older checkpoints lack these, and were made on another split.
    kind = {} if pair.teacher.dtype == "float32" else {"teacher dtype": pair.teacher.dtype}
    split = {"split": examples.record["split"]} if "split" in examples.record else {}
    return {
        **kind,
        **split,
        "student": pair.student.sha256,
        "teacher": pair.teacher.sha256,
        "data": examples.sha256,
        "overlap": examples.record["overlapping"],
        **settings.model_dump(mode="json", exclude={*FREE_TO_CHANGE, "teacher_top_k", "teacher_stored_type"}),
    }
