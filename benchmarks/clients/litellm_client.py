"""LiteLLM against a running server: ``python benchmarks/clients/litellm_client.py [URL]``.

Tried with litellm 1.106.4, in a virtual environment of its own.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import litellm


def try_completions(model: str, base: dict[str, Any]) -> None:
    """Completions: whole, streamed, with log-probabilities and neutral fields."""
    asked = {**base, "model": f"text-completion-openai/{model}", "prompt": "def add(a, b):\n    "}
    whole = litellm.text_completion(**asked).choices[0].text
    parts = [chunk.choices[0].text or "" for chunk in litellm.text_completion(**asked, stream=True)]
    assert "".join(parts) == whole
    print("text_completion, stream: ok")
    choice = litellm.text_completion(**asked, logprobs=2, presence_penalty=0, frequency_penalty=0).choices[0]
    assert choice.text == whole
    assert "".join(choice.logprobs.tokens) == whole
    print("text_completion: logprobs, neutral fields: ok")


def try_chats(model: str, base: dict[str, Any]) -> None:
    """Chats: whole, streamed, continued, with ``cosec``, log-probabilities and neutral fields."""
    user = {"role": "user", "content": "Count to five."}
    asked = {**base, "model": f"openai/{model}", "messages": [user]}
    spoken = litellm.completion(**asked, extra_body={"cosec": {"enabled": False}})
    assert spoken.model_dump()["metrics"]["cosec"]["enabled"] is False
    plain = litellm.completion(**asked).choices[0].message.content
    parts = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**asked, stream=True)]
    assert "".join(parts) == plain
    print("completion, stream, extra_body: ok")
    neutral = {"tools": [], "response_format": {"type": "text"}, "parallel_tool_calls": True, "presence_penalty": 0}
    told = litellm.completion(**asked, logprobs=True, top_logprobs=2, **neutral).choices[0]
    assert told.message.content == plain
    assert all(len(entry.top_logprobs) == 2 for entry in told.logprobs.content)
    print("completion: logprobs, neutral fields: ok")
    begun = {"role": "assistant", "content": "1, 2,"}
    continued = litellm.completion(**{**asked, "messages": [user, begun]}).choices[0].message.content
    assert not continued.startswith("1, 2,")
    print("completion that continues a message: ok")
    said = ""
    try:
        litellm.completion(**asked, presence_penalty=1.0)
    except litellm.BadRequestError as error:
        said = str(error)
    assert "presence_penalty" in said
    print("errors name the field: ok")


def main(url: str) -> None:
    """Try every feature."""
    with urllib.request.urlopen(f"{url}/v1/models") as answer:
        model = json.load(answer)["data"][0]["id"]
    base = {"api_key": "none", "seed": 1, "max_tokens": 8, "max_retries": 0}
    try_completions(model, {**base, "api_base": f"{url}/v1"})
    try_chats(model, {**base, "api_base": f"{url}/v1"})
    asked = {**base, "api_base": url, "model": f"openai/{model}", "messages": [{"role": "user", "content": "Hi"}]}
    assert litellm.completion(**asked).choices[0].message.content
    print("base URL without /v1: ok")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
