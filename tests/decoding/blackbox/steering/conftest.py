"""A tiny target whose tokens differ from those of the tiny security model."""

from __future__ import annotations

import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.models.loading.load import load_pair
from tests.tiny import save_tiny

CORPUS = "print(reader.path)\nreturn os.path.join(directory, file_name)\nexecute(select, name)\nrequest.args.get(key)\n"


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    folder = save_tiny("llama", tmp_path_factory.mktemp("other"), seed=5, corpus=CORPUS)
    return PreparedPair(load_pair(str(folder), "none", dtype="float32"))
