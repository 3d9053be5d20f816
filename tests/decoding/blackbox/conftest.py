"""A tiny security model with its base, as a target of another family sees it."""

from __future__ import annotations

import pytest

from cosec.decoding.blackbox.reading import SecurityReader
from tests.decoding.pairs import shared_pair


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> SecurityReader:
    return SecurityReader(shared_pair(tmp_path_factory.mktemp("blackbox")))
