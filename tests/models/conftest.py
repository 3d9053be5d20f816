"""Tests of models write to a cache of their own, unless they need the embedded model that the user pulled."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("embedded") is None:
        monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
