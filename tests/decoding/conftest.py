"""Tiny models with weights of their own."""

from __future__ import annotations

import pytest

from cosec.decoding.pairing import PreparedPair
from tests.decoding.pairs import separate_pair


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return separate_pair(tmp_path_factory.mktemp("separate"))
