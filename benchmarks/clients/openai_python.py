"""The official Python client against a running server: ``python benchmarks/clients/openai_python.py [URL]``.

Tried with openai 3.57.0. Prints one line for each feature, and fails on the first that does not work.
"""

# ruff: noqa: T201

from __future__ import annotations

import sys

import openai

PROMPT = "def add(a, b):\n    "


def main(url: str) -> None:
    """Try every feature."""
    for base in (f"{url}/v1", url):
        client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)
        model = client.models.list().data[0].id
    print("base URL with and without /v1: ok")
    asked = {"model": model, "prompt": PROMPT, "max_tokens": 12, "seed": 1}
    whole = client.completions.create(**asked, logprobs=2)
    assert whole.choices[0].logprobs is not None
    chunks = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    parts = [chunk.choices[0].text for chunk in chunks if chunk.choices]
    assert "".join(parts) == whole.choices[0].text
    print("completions, stream, logprobs: ok")
    answer = client.completions.create(**asked, extra_body={"cosec": {"enabled": False}, "top_k": 40, "min_p": 0.05})
    assert answer.to_dict()["metrics"]["cosec"]["enabled"] is False
    print("extra_body: cosec, top_k, min_p: ok")
    chat = {"model": model, "max_tokens": 8, "seed": 1, "tools": [], "tool_choice": "none"}
    messages = [{"role": "user", "content": "Count to five."}, {"role": "assistant", "content": "1, 2,"}]
    spoken = client.chat.completions.create(messages=messages, logprobs=True, top_logprobs=2, **chat)
    assert spoken.choices[0].logprobs is not None
    streamed = client.chat.completions.create(messages=messages, stream=True, **chat)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
    assert text == spoken.choices[0].message.content
    print("chat: continued message, logprobs, stream, no tools: ok")
    named = None
    try:
        client.completions.create(**asked, presence_penalty=1.0)
    except openai.BadRequestError as error:
        named = error.param
    assert named == "presence_penalty"
    print("errors name the field: ok")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
