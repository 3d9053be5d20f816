"""Tiny GGUF files, and a reason to skip where llama.cpp is not installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedModel

from cosec.runtime import llama_cpp_is_installed
from tests.models.gguf_file import write_gguf
from tests.tiny import tiny_model


@pytest.fixture(scope="session")
def installed() -> None:
    """For tests that run llama.cpp."""
    if not llama_cpp_is_installed():
        pytest.skip("llama-cpp-python is not installed (cosec[llama])")


@pytest.fixture(scope="module")
def gguf_of(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[PreTrainedModel, Path]]:
    """Makes a tiny model and its GGUF file with float32 weights; the same arguments give the same two."""
    folder = tmp_path_factory.mktemp("gguf")

    def made(architecture: str, seed: int = 0) -> tuple[PreTrainedModel, Path]:
        model, file = tiny_model(architecture, seed=seed), folder / f"{architecture}-{seed}.gguf"
        return model, file if file.exists() else write_gguf(model, file)

    return made
