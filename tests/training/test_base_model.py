"""The base of a new adapter is recorded by a name that stands for it everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosec.models.loading import load
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.training.base_model import load_base
from cosec.training.settings import HardeningSettings
from tests.tiny import save_tiny

SETTINGS = HardeningSettings(max_tokens=64)
EMBEDDED = next(iter(BUNDLED_MODELS))


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_an_embedded_base_keeps_its_name_beside_an_entry_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / EMBEDDED).mkdir()
    folder = save_tiny("llama", tmp_path / "pulled")
    monkeypatch.setattr(load, "bundled_folder", lambda name: folder)
    assert load_base(EMBEDDED, SETTINGS).name == EMBEDDED


@pytest.mark.parametrize("name", ["base", "~/base"])
def test_a_folder_is_recorded_with_its_absolute_path(tmp_path: Path, name: str) -> None:
    folder = save_tiny("llama", tmp_path / "base")
    assert load_base(name, SETTINGS).name == str(folder)
