"""Filling in the middle as editors ask for it, over a socket, once from a `cosec serve` process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from benchmarks.serving_process import ServerProcess, server_process

from tests.decoding.pairs import shared_folders, shared_pair
from tests.serving.conftest import Served, serving

BEFORE, TYPED, AFTER = "def read(path):\n", "    with", "    return data\n"

Serving = Callable[[Path, str], AbstractContextManager[ServerProcess | Served]]


def in_a_process(folder: Path, architecture: str) -> AbstractContextManager[ServerProcess]:
    target, adapter = shared_folders(folder, architecture)
    return server_process(folder, ["--target", str(target), "--security", str(adapter)])


def in_a_thread(folder: Path, architecture: str) -> AbstractContextManager[Served]:
    return serving(shared_pair(folder, architecture))


@pytest.mark.parametrize(
    ("architecture", "marks", "served"),
    [
        ("gpt_bigcode", "<fim_prefix>{}<fim_suffix>{}<fim_middle>", in_a_thread),  # StarCoder's
        ("qwen2", "<|fim_prefix|>{}<|fim_suffix|>{}<|fim_middle|>", in_a_process),  # Qwen2.5-Coder's
    ],
)
def test_infill_and_suffix_complete_what_a_client_with_the_families_tokens_would_send(
    architecture: str,
    marks: str,
    served: Callable[[Path, str], AbstractContextManager[ServerProcess | Served]],
    tmp_path: Path,
) -> None:
    sampling = {"seed": 3, "temperature": 0.8, "top_p": 0.95}
    with (
        served(tmp_path, architecture) as server,
        httpx2.Client(base_url=server.url, timeout=60) as http,
    ):
        infill = {"input_prefix": BEFORE, "prompt": TYPED, "input_suffix": AFTER, "n_predict": 12, **sampling}
        llama_vscode = {"samplers": ["top_k"], "t_max_prompt_ms": 500, "cache_prompt": True}
        whole = http.post("/infill", json={**infill, **llama_vscode}).json()
        suffix = {"prompt": BEFORE + TYPED, "suffix": AFTER, "max_tokens": 12, **sampling}
        filled = http.post("/v1/completions", json=suffix).json()
        by_hand = {"prompt": marks.format(BEFORE + TYPED, AFTER), "max_tokens": 12, **sampling}
        expected = http.post("/v1/completions", json=by_hand).json()["choices"][0]["text"]
        plain = http.post("/v1/completions", json={**by_hand, "prompt": BEFORE + TYPED}).json()["choices"][0]["text"]
    assert whole["content"] == filled["choices"][0]["text"] == expected
    assert whole["tokens_predicted"] == filled["usage"]["completion_tokens"]
    assert expected != plain, "the suffix matters"
