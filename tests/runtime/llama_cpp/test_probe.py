"""The probe passes here, and notices a runtime that confuses rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from transformers import PreTrainedModel

from cosec.errors import ModelError
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.probe import check_llama_cpp
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights
from tests.tiny import VOCABULARY_SIZE

PROMPT = [5, 6, 7, 8, 9]


@pytest.fixture
def empty(gguf_of: Callable[..., tuple[PreTrainedModel, Path]]) -> LlamaTokenModel:
    return LlamaTokenModel(Context(Weights(gguf_of("llama")[1], "tiny")), VOCABULARY_SIZE)


def test_this_release_of_llama_cpp_passes(empty: LlamaTokenModel) -> None:
    check_llama_cpp(empty, PROMPT)


@pytest.mark.parametrize("broken", ["rollback", "select"])
def test_a_release_that_does_not_roll_back_or_copy_is_noticed(
    empty: LlamaTokenModel, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def forgets_nothing(model: LlamaTokenModel, dropped: Sequence[int]) -> None:
        """Leaves the rows as they are."""

    def copies_nothing(model: LlamaTokenModel, rows: Sequence[int]) -> None:
        model.rows = [model.context.begin() for _ in rows]

    monkeypatch.setattr(LlamaTokenModel, broken, {"rollback": forgets_nothing, "select": copies_nothing}[broken])
    with pytest.raises(ModelError, match="scores a row that was copied and rolled back differently"):
        check_llama_cpp(empty, PROMPT)
