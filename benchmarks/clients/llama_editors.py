"""The requests of llama.vscode and llama.vim, as their sources send them, against a running server.

``python benchmarks/clients/llama_editors.py [URL]``. The infill requests need a model that fills in the middle, such as
``cosec serve --target qwen2.5-coder-0.5b``; the chat requests any model with a chat template.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

EXTRA = [{"text": "def half(x):\n    return x / 2\n", "time": 1.5, "filename": "half.py"}]
PREFIX, MIDDLE, SUFFIX = "def add(a, b):\n", "    return", "\n\nprint(add(1, 2))\n"
INFILL = {"input_prefix": PREFIX, "input_suffix": SUFFIX, "input_extra": EXTRA, "prompt": MIDDLE, "n_predict": 16}
LLAMA_VSCODE = {
    **INFILL, "top_k": 40, "top_p": 0.99, "stream": False, "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True, "n_indent": 4, "t_max_prompt_ms": 500, "t_max_predict_ms": 2500,
}  # fmt: skip
LLAMA_VSCODE_WARM = {
    "input_prefix": "", "input_suffix": "", "input_extra": EXTRA, "prompt": "", "n_predict": 0, "samplers": [],
    "cache_prompt": True, "t_max_prompt_ms": 500, "t_max_predict_ms": 1,
}  # fmt: skip
TIMINGS = [f"timings/{part}_{name}" for part in ("prompt", "predicted") for name in ("n", "ms", "per_second")]
LLAMA_VIM = {
    **INFILL, "n_indent": 4, "top_k": 40, "top_p": 0.99, "stream": False, "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000,
    "response_fields": ["content", *TIMINGS, "truncated", "tokens_cached"],
}  # fmt: skip
LLAMA_VIM_WARM = {
    **LLAMA_VSCODE_WARM, "temperature": 0.0, "stream": False, "t_max_prompt_ms": 1, "response_fields": [""],
}  # fmt: skip
LLAMA_VSCODE_EDIT = {
    "messages": [
        {"role": "system", "content": "You are an expert coder."},
        {"role": "user", "content": "Rename f to g: def f(): pass"},
    ],
    "stream": False, "cache_prompt": True, "samplers": "edkypmxt", "temperature": 0.8, "dynatemp_range": 0,
    "dynatemp_exponent": 1, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "typical_p": 1, "xtc_probability": 0,
    "xtc_threshold": 0.1, "repeat_last_n": 64, "repeat_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0,
    "dry_multiplier": 0, "dry_base": 1.75, "dry_allowed_length": 2, "dry_penalty_last_n": -1, "max_tokens": -1,
    "timings_per_token": False,
}  # fmt: skip


def post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Send a request; returns the status and the answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def main(url: str) -> None:
    """Send every request, and print what came back."""
    edit = {**LLAMA_VSCODE_EDIT, "max_tokens": 8}  # as sent but for the length, which is the rest of the context
    for name, path, body in (
        ("llama.vscode, warm-up", "/infill", LLAMA_VSCODE_WARM),
        ("llama.vscode, completion", "/infill", LLAMA_VSCODE),
        ("llama.vim, warm-up", "/infill", LLAMA_VIM_WARM),
        ("llama.vim, completion", "/infill", LLAMA_VIM),
        ("llama.vscode, edit by chat", "/v1/chat/completions", edit),
    ):
        status, answer = post(url + path, body)
        shown = answer.get("content", answer) if path == "/infill" else answer.get("choices", answer)
        print(f"{name}: {status} {json.dumps(shown)[:200]}")
        if body is LLAMA_VIM and status == 200:
            assert set(answer) == set(LLAMA_VIM["response_fields"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
