"""Folders with tiny models, made once: a target, another model of its family, an adapter of the target."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tiny import save_tiny, save_tiny_adapter


class Models(NamedTuple):
    target: str
    security: str
    adapter: str
    stranger: str


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    root = tmp_path_factory.mktemp("models")
    target = save_tiny("llama", root / "target")
    return Models(
        target=str(target),
        security=str(save_tiny("llama", root / "security", seed=5, layers=1)),
        adapter=str(save_tiny_adapter(target, root / "adapter")),
        stranger=str(save_tiny("llama", root / "stranger", corpus="an entirely different corpus of words\n" * 9)),
    )


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("embedded") is None:
        monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
