"""One alignment run of tiny models, as tests need it: in this process, or as a program among several processes."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosec.models.families import lora_targets
from cosec.models.loading.load import load_model
from cosec.training.alignment.align import AlignmentPair, AlignmentResult, align, prepare_alignment
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.alignment.teacher import Teacher
from cosec.training.hardening import BaseModel
from tests.tiny import VOCABULARY_SIZE, save_tiny, tiny_model, tiny_tokenizer

FAST: dict[str, Any] = {
    "max_tokens": 64,
    "batch_size": 2,
    "learning_rate": 3e-3,
    "warmup_steps": 2,
    "epochs": 2,
    "validation_share": 0.2,
    "lora_rank": 4,
    "lora_dropout": 0.2,
}
"""Few, large steps."""


def tiny_pair(folder: Path, architecture: str = "llama") -> AlignmentPair:
    """A student read from ``folder`` (written when missing) and a larger teacher."""
    if not folder.exists():
        save_tiny(architecture, folder, seed=1, head_width=328)
    student = load_model(str(folder)).model
    teacher = tiny_model(architecture, seed=2, layers=3, hidden=64, head_width=336)
    tokenizer = tiny_tokenizer(architecture)
    return AlignmentPair(
        student=BaseModel(
            model=student, tokenizer=tokenizer, name="student", sha256="1" * 64, lora_targets=lora_targets(student)
        ),
        student_folder=folder,
        teacher=Teacher(load=lambda: teacher, name="teacher", sha256="2" * 64, dtype="float32"),
        vocabulary=VOCABULARY_SIZE,
    )


def write_documents(file: Path) -> Path:
    """Nine examples to train on and three to validate; the file."""
    stream = random.Random(0)
    words = ["value", "index", "return", "total", "buffer", "cursor"]
    records = [{"instruction": f"Task {n}", "output": " ".join(stream.choices(words, k=6))} for n in range(12)]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def run_alignment(
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    progress: Any = None,
    architecture: str = "llama",
    teacher_cache: Path | None = None,
    teacher_dtype: str = "float32",
    **settings: Any,
) -> AlignmentResult:
    """Align a tiny student on the documents in ``data``."""
    chosen = AlignmentSettings(**{**FAST, **settings})
    pair = tiny_pair(data.parent / f"student-{architecture}", architecture)
    pair = replace(pair, teacher=replace(pair.teacher, dtype=teacher_dtype))
    examples = prepare_alignment(pair.student.tokenizer, [data], chosen, None)
    return align(pair, examples, chosen, out, resume=resume, teacher_cache=teacher_cache, progress=progress)


if __name__ == "__main__":
    # A run that is there already is continued, so that a killed program can simply be started again.
    data_file, out_folder = Path(sys.argv[1]), Path(sys.argv[2])
    begun = any((out_folder / "checkpoints").glob("step-*"))
    run_alignment(data_file, out_folder, resume=begun, **json.loads(sys.argv[3]))
