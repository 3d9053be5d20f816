"""Filling in the middle as editors ask for it: a `cosec serve` process over a socket, models with FIM tokens."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from benchmarks.serving_process import server_process

from cosec.models.loading.load import load_pair
from tests.decoding.pairs import shared_folders

BEFORE, TYPED, AFTER = "def read(path):\n", "    with", "    return data\n"


@pytest.mark.parametrize(
    ("architecture", "marks"),
    [
        ("gpt_bigcode", "<fim_prefix>{}<fim_suffix>{}<fim_middle>"),  # StarCoder's
        ("qwen2", "<|fim_prefix|>{}<|fim_suffix|>{}<|fim_middle|>"),  # Qwen2.5-Coder's
    ],
)
def test_infill_and_suffix_complete_what_a_client_with_the_families_tokens_would_send(
    architecture: str, marks: str, tmp_path: Path
) -> None:
    target, adapter = shared_folders(tmp_path, architecture)
    assert load_pair(str(target), str(adapter)).target.family.fim is not None
    sampling = {"seed": 3, "temperature": 0.8, "top_p": 0.95}
    with (
        server_process(tmp_path, ["--target", str(target), "--security", str(adapter)]) as server,
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
