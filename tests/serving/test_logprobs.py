"""Log-probabilities beside the text: offsets, names of tokens, and where the lists end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.api.token_texts import TokenTexts
from tests.serving.conftest import Served, serving

PROMPT = "s='\N{GRINNING FACE}\u00e9'\n"


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx2.Client]:
    with served.client() as one:
        yield one


def ask(http: httpx2.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/completions", json={"logprobs": 3, "temperature": 2.0, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["choices"][0]
    return found


def streamed(http: httpx2.Client, **body: Any) -> dict[str, Any]:
    """The choice that a stream adds up to."""
    asked = {"logprobs": 3, "temperature": 2.0, "stream": True, **body}
    with http.stream("POST", "/v1/completions", json=asked) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    found: dict[str, Any] = {"text": "", "logprobs": {}, "cosec": {}}
    for choice in (one for line in lines if line != "[DONE]" for one in json.loads(line)["choices"]):
        found["text"] += choice["text"]
        found["finish_reason"] = choice["finish_reason"]
        for name, values in (choice["logprobs"] or {}).items():
            found["logprobs"][name] = [*found["logprobs"].get(name, []), *values]
        for name, values in (choice.get("cosec") or {}).items():
            found["cosec"][name] = [*found["cosec"].get(name, []), *values]
    return found


def alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same tokens at the same places; drafts of another length round the numbers in another way."""
    for name in ("tokens", "text_offset"):
        assert one[name] == other[name]
    start = one["token_logprobs"][:1] == [None]
    assert one["token_logprobs"][start:] == pytest.approx(other["token_logprobs"][start:], abs=1e-4)


def unnamed(token: str) -> bytes:
    """The bytes that a token's name stands for."""
    if token.startswith("bytes:"):
        return bytes(int(byte, 16) for byte in token.removeprefix("bytes:").split("\\x")[1:])
    return token.encode()


def test_offsets_of_an_echoed_prompt_count_characters(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    logprobs = ask(http, prompt=PROMPT, echo=True, max_tokens=0)["logprobs"]
    assert b"".join(map(unnamed, logprobs["tokens"])).decode() == PROMPT
    expected = [len(PROMPT.encode()[:start].decode(errors="ignore")) for start in _starts(logprobs["tokens"])]
    assert logprobs["text_offset"] == expected
    assert r"bytes:\xf0" in logprobs["tokens"]


def _starts(tokens: list[str]) -> list[int]:
    lengths = [len(unnamed(token)) for token in tokens]
    return [sum(lengths[:place]) for place in range(len(tokens))]


@pytest.mark.parametrize("stop", [[], ["e", " "], ["\n"], ["(", "a", "0"]])
def test_whole_and_streamed_lists_agree_and_end_where_the_text_does(
    http: httpx2.Client, tiny_pair: PreparedPair, stop: list[str]
) -> None:
    ends = [tiny_pair.tokenizer.decode([token]) for token in tiny_pair.stop_token_ids]
    seen = set()
    for seed in (0, 3, 4):
        asked = {"prompt": PROMPT, "echo": seed % 2 == 0, "max_tokens": 30, "stop": stop, "seed": seed}
        whole, pieces = ask(http, **asked), streamed(http, **asked)
        logprobs, text = whole["logprobs"], whole["text"]
        assert (pieces["text"], pieces["finish_reason"]) == (text, whole["finish_reason"])
        alike(pieces["logprobs"], logprobs)
        offsets = logprobs["text_offset"]
        assert offsets == sorted(offsets)
        spelled = b"".join(unnamed(token) for token in logprobs["tokens"] if token not in ends)
        said = text.encode() + bytes((whole.get("cosec") or {}).get("incomplete_bytes", []))
        if "\N{REPLACEMENT CHARACTER}" not in text:
            assert spelled.startswith(said)
        stopped_by_text = whole["finish_reason"] == "stop" and logprobs["tokens"][-1] not in ends
        seen.add(stopped_by_text)
        if stopped_by_text:
            assert offsets[-1] < len(text), "no token after the end of the text"
    assert (True in seen) == bool(stop)


def test_drafts_of_eight_end_and_count_as_single_tokens_do(tiny_pair: PreparedPair) -> None:
    found = []
    for draft_length in (1, 8):
        with serving(tiny_pair, draft_length=draft_length) as running, running.client() as client:
            found.append(
                [
                    ask(client, prompt=PROMPT, max_tokens=30, stop=stop, seed=seed, min_tokens=seed % 3)
                    for stop in ([], ["e", " "])
                    for seed in range(3)
                ]
            )
    for one, eight in zip(*found, strict=True):
        assert (one["text"], one["finish_reason"]) == (eight["text"], eight["finish_reason"])
        alike(one["logprobs"], eight["logprobs"])


def test_the_chosen_token_has_its_own_number_among_the_alternatives(http: httpx2.Client) -> None:
    for seed in range(3):
        logprobs = ask(http, prompt=PROMPT, echo=True, max_tokens=20, seed=seed)["logprobs"]
        for token, value, best in zip(
            logprobs["tokens"][1:], logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True
        ):
            assert best[token] == value
            assert "\N{REPLACEMENT CHARACTER}" not in best
            assert 3 <= len(best) <= 4


def test_a_text_that_its_limit_cuts_inside_a_character_ends_before_it_and_says_so(http: httpx2.Client) -> None:
    for seed in range(200):
        asked = {"prompt": PROMPT, "max_tokens": 3, "seed": seed}
        whole = ask(http, **asked)
        held = (whole.get("cosec") or {}).get("incomplete_bytes")
        if held:
            break
    assert whole["finish_reason"] == "length"
    assert not whole["text"].endswith("\N{REPLACEMENT CHARACTER}")
    assert b"".join(map(unnamed, whole["logprobs"]["tokens"])).endswith(bytes(held))
    pieces = streamed(http, **asked)
    assert (pieces["text"], pieces["cosec"]["incomplete_bytes"]) == (whole["text"], held)


def test_places_fit_a_text_with_or_without_its_first_space_and_special_tokens(tiny_pair: PreparedPair) -> None:
    tokenizer = tiny_pair.tokenizer
    names, end = TokenTexts(tokenizer), tokenizer.eos_token_id
    ids = tokenizer(" def f").input_ids
    spelled = [tokenizer.decode([token]) for token in ids]
    starts = [len("".join(spelled[:place])) for place in range(len(ids))]
    assert names.places_in(" def f", ids) == starts
    assert names.places_in(" def f", [end, *ids]) == [0, *starts]
    assert names.places_in("def f", ids) == [max(0, start - 1) for start in starts]
    assert names.places_in(tokenizer.eos_token + " def f", [end, *ids]) == [
        0,
        *(start + len(tokenizer.eos_token) for start in starts),
    ]
