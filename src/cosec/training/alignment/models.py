"""Teacher and student of ``cosec align``: are they a pair, what do they need, and loading them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cosec.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.training.alignment.align import AlignmentPair
    from cosec.training.alignment.memory_estimate import MemoryEstimate
    from cosec.training.alignment.settings import AlignmentSettings


def read_shared_tokenizer(
    teacher: str, student: str, settings: AlignmentSettings
) -> tuple[PreTrainedTokenizerFast, int]:
    """Check, without weights, that one model can teach the other.

    Returns:
        The tokenizer that they share, and how many entries of their heads mean the same.

    Raises:
        SettingsError: If one of them is an adapter, the student is larger, or the examples are longer than a context.
        VocabularyMismatch: If their tokens do not mean the same.
        ModelError: If one of them cannot be found or read.
    """
    from cosec.models.adapters import is_adapter
    from cosec.models.description import describe_model
    from cosec.models.loading.load import resolve_model
    from cosec.models.loading.reading import read_tokenizer
    from cosec.models.vocabulary import Vocabulary, compare

    for role, name in (("teacher", teacher), ("student", student)):
        if is_adapter(resolve_model(name)):
            raise SettingsError(f"{name} is an adapter; --{role} needs a full model.")
    described = [describe_model(name) for name in (teacher, student)]
    tokenizers = [read_tokenizer(each.name, each.path) for each in described]
    shared = compare(
        *(
            Vocabulary(name=each.name, folder=each.path, tokenizer=tokenizer, head_width=each.head_width)
            for each, tokenizer in zip(described, tokenizers, strict=True)
        )
    )
    if described[1].parameters > described[0].parameters:
        raise SettingsError(
            f"The student {student} ({described[1].parameters} weights) is larger than its teacher {teacher}"
            f" ({described[0].parameters}); exchange --teacher and --student."
        )
    for each in described:
        if settings.max_tokens > each.context_length:
            raise SettingsError(
                f"--max-tokens {settings.max_tokens} is longer than the context of {each.name}"
                f" ({each.context_length} tokens)."
            )
    return tokenizers[1], shared.size


def load_alignment_pair(
    names: Mapping[str, str], settings: AlignmentSettings, dtype: str, vocabulary: int
) -> AlignmentPair:
    """Load the student, and say how to load the teacher; ``read_shared_tokenizer`` has checked them.

    Args:
        names: Of ``teacher`` and ``student``.
        settings: Say which modules an adapter changes.
        dtype: The teacher's.
        vocabulary: Entries that both share.
    """
    from cosec.models.families import lora_targets
    from cosec.models.identity import model_fingerprint
    from cosec.models.loading.load import load_model, resolve_model
    from cosec.training.alignment.align import AlignmentPair
    from cosec.training.alignment.teacher import Teacher
    from cosec.training.hardening import BaseModel

    student = load_model(names["student"], dtype="float32")
    chosen = teacher_dtype(dtype)
    return AlignmentPair(
        student=BaseModel(
            model=student.model,
            tokenizer=student.tokenizer,
            name=_shown(student.name),
            sha256=model_fingerprint(student.path),
            lora_targets=lora_targets(student.model, settings.lora_targets),
        ),
        student_folder=student.path,
        teacher=Teacher(
            load=lambda: load_model(names["teacher"], dtype=chosen).model,
            name=_shown(names["teacher"]),
            sha256=model_fingerprint(resolve_model(names["teacher"])),
            dtype=chosen,
        ),
        vocabulary=vocabulary,
    )


def _shown(name: str) -> str:
    """A model's name for the manifest, which names no folders of this machine."""
    from cosec.models.loading.load import local_path

    place = local_path(name)
    return name if place is None else place.name


def outline_memory(names: Mapping[str, str], settings: AlignmentSettings, dtype: str, processes: int) -> MemoryEstimate:
    """Estimate the memory of a run, on each of its processes' devices, from the models' outlines."""
    from cosec.models.families import lora_targets
    from cosec.models.loading.load import resolve_model
    from cosec.models.loading.reading import BYTES_PER_VALUE, read_outline
    from cosec.training.alignment.memory_estimate import estimate_memory

    outlines = {role: read_outline(name, resolve_model(name)) for role, name in names.items()}
    return estimate_memory(
        outlines["student"],
        outlines["teacher"],
        settings,
        teacher_bytes=BYTES_PER_VALUE[teacher_dtype(dtype)],
        targets=lora_targets(outlines["student"], settings.lora_targets) if settings.train == "lora" else (),
        processes=processes,
    )


def teacher_dtype(dtype: str) -> str:
    """``auto`` is float32 on a processor, else bfloat16; the others stand for themselves.

    Raises:
        SettingsError: If there is no such type.
    """
    import torch

    from cosec.models.loading.reading import DTYPES

    if dtype not in DTYPES:
        raise SettingsError(f"--dtype {dtype!r} is not one of {', '.join(DTYPES)}.")
    if dtype != "auto":
        return dtype
    return "bfloat16" if torch.cuda.is_available() else "float32"
