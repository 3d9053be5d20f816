"""LiteLLM against a running server: ``python benchmarks/clients/litellm_client.py [URL]``.

Tried with litellm 1.106.4, in a virtual environment of its own.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import sys
import urllib.request

import litellm


def main(url: str) -> None:
    """Try completions and chats, whole and streamed."""
    with urllib.request.urlopen(f"{url}/v1/models") as answer:
        model = json.load(answer)["data"][0]["id"]
    base = {"api_base": f"{url}/v1", "api_key": "none", "seed": 1, "max_tokens": 8}
    text = {**base, "model": f"text-completion-openai/{model}", "prompt": "def add(a, b):\n    "}
    whole = litellm.text_completion(**text).choices[0].text
    parts = [chunk.choices[0].text or "" for chunk in litellm.text_completion(**text, stream=True)]
    assert "".join(parts) == whole
    print("text_completion, stream: ok")
    chat = {**base, "model": f"openai/{model}", "messages": [{"role": "user", "content": "Count to five."}]}
    spoken = litellm.completion(**chat, extra_body={"cosec": {"threshold": 0.5}}).choices[0].message.content
    assert spoken
    plain = litellm.completion(**chat).choices[0].message.content
    parts = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**chat, stream=True)]
    assert "".join(parts) == plain
    print("completion, stream, extra_body: ok")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
