"""The manifest of an alignment names its models, and no folder of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosec.models.loading import load
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.training.alignment.models import load_alignment_pair
from cosec.training.alignment.settings import AlignmentSettings
from tests.tiny import VOCABULARY_SIZE, save_tiny

EMBEDDED = next(iter(BUNDLED_MODELS))


def test_folders_are_named_without_their_place_and_an_embedded_model_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny("llama", tmp_path / "student")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(load, "bundled_folder", lambda name: folder)
    for student, shown in (("student", "student"), ("~/student", "student"), (str(folder), "student")):
        pair = load_alignment_pair(
            {"teacher": EMBEDDED, "student": student}, AlignmentSettings(), "float32", VOCABULARY_SIZE
        )
        assert (pair.student.name, pair.teacher.name) == (shown, EMBEDDED)
