"""Pairs of tiny models: two models with weights of their own, and a target with an adapter."""

from __future__ import annotations

import pytest

from cosec.decoding.pairing import PreparedPair
from tests.decoding.pairs import separate_pair, shared_pair


@pytest.fixture(scope="module", params=["separate", "shared"])
def pair(request: pytest.FixtureRequest, device: str, tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    folder = tmp_path_factory.mktemp("pair")
    return {"separate": separate_pair, "shared": shared_pair}[request.param](folder, device=device)


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return separate_pair(tmp_path_factory.mktemp("separate"))
