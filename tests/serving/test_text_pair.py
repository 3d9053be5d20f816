"""A server of a target in this process whose tokens differ from those of its security model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openai import APIStatusError, OpenAI

from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import decoding_settings
from cosec.models.loading.load import load_pair
from cosec.serving.server import build_proxy
from tests.serving.test_chat_and_infill import TEMPLATE
from tests.serving.test_proxy import answering
from tests.tiny import save_tiny, save_tiny_adapter

PROMPT = "def read(path):\n    x"
ASKED = {"model": "both", "prompt": PROMPT, "max_tokens": 8, "temperature": 0.7, "seed": 5}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    corpus = "an entirely different corpus of words\n" * 9
    folder = save_tiny("llama", tmp_path_factory.mktemp("other"), seed=5, corpus=corpus)
    pair = PreparedPair(load_pair(str(folder), "none", dtype="float32"))
    pair.tokenizer.chat_template = TEMPLATE
    pair.context_length = 40  # a text that fills it fits into that of the security model
    return pair


@pytest.fixture(scope="module")
def client(tiny_pair: PreparedPair, other: PreparedPair) -> Iterator[OpenAI]:
    service = build_proxy(
        lambda run: LocalTarget(other, run),
        SecurityReader(tiny_pair),
        ("both",),
        rule={"name": "steer", "strength": 3.0},
        target=other,
    )
    with answering(service) as url, OpenAI(base_url=url, api_key="none", max_retries=0) as found:
        yield found


def text(client: OpenAI, **cosec: object) -> str:
    return client.completions.create(**ASKED, extra_body={"cosec": cosec}).choices[0].text


def test_every_rule_over_text_is_served(client: OpenAI, other: PreparedPair) -> None:
    sampling = {"temperature": 0.7, "top_p": 1.0, "seed": 5, "max_new_tokens": 8}
    (alone,) = Completer(other, decoding_settings({}, sampling), alone="target", rows=1).complete([PROMPT])
    assert text(client, enabled=False) == alone.text
    assert text(client, strength=0.0) == alone.text
    assert text(client, rule="gate", strength=1e9) == alone.text
    assert alone.text not in (text(client), text(client, rule="gate", strength=0.0))
    (model,) = client.models.list().data
    assert set(model.model_extra["rules"]) == {"gate", "steer"}
    assert "in place of the target's text" in model.model_extra["rules"]["gate"]["changed"]
    assert "changed" not in model.model_extra["rules"]["steer"]
    assert model.model_extra["cosec"]["rule"] == "steer"


def test_a_stream_has_the_text_and_tokens_of_the_whole_answer(client: OpenAI) -> None:
    extra = {"cosec": {"audit": "tokens"}}
    whole = client.completions.create(**ASKED, extra_body=extra).choices[0]
    streamed = [one.choices[0].text for one in client.completions.create(**ASKED, stream=True) if one.choices]
    assert "".join(streamed) == whole.text
    tokens = whole.model_extra["cosec"]["tokens"]
    spelled = "".join(one["text"] for one in tokens)  # here what is no text is spelled byte by byte
    assert spelled.replace("\N{REPLACEMENT CHARACTER}", "") == whole.text.replace("\N{REPLACEMENT CHARACTER}", "")
    assert any(one["changed"] for one in tokens)


CHAT = {"messages": [{"role": "user", "content": "hi"}]}
INFILL = {"input_prefix": "def f(", "input_suffix": "):"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("v1/chat/completions", CHAT, 200),
        ("v1/chat/completions", {**CHAT, "max_tokens": -1}, 200),
        ("v1/chat/completions", {**CHAT, "max_tokens": 90}, 400),
        ("v1/completions", {"prompt": PROMPT, "max_tokens": -1}, 200),
        ("v1/completions", {"prompt": PROMPT, "max_tokens": 90}, 400),
        ("infill", INFILL, 200),
        ("infill", {**INFILL, "n_predict": 90}, 200),
        ("completion", {"prompt": PROMPT}, 200),
    ],
)
def test_what_the_client_does_not_limit_ends_with_the_targets_context(
    client: OpenAI, path: str, body: dict[str, object], status: int
) -> None:
    url = str(client.base_url).removesuffix("v1/") + path
    answer = httpx2.post(url, json={**body, "seed": 1}, timeout=60, verify=False)
    assert answer.status_code == status, answer.text
    assert status == 200 or "context holds 40" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("cosec", "said"),
    [
        ({"rule": "threshold"}, "gate or --rule steer"),
        ({"against": "anti-expert"}, "against base"),
        ({"security_floor": 0.1}, "security-floor 0"),
    ],
)
def test_what_does_not_work_over_text_is_refused(client: OpenAI, cosec: dict[str, object], said: str) -> None:
    with pytest.raises(APIStatusError, match=said):
        text(client, **cosec)


def test_the_adapters_rule_for_other_targets_applies_without_a_rule(tmp_path: Path, other: PreparedPair) -> None:
    base = save_tiny("llama", tmp_path / "base")
    adapter = save_tiny_adapter(base, tmp_path / "adapter")
    (adapter / "rule.toml").write_text(
        '[rule]\nname = "steer"\nstrength = 1.0\n\n[rule.shared_weights]\nname = "steer"\nstrength = 1.5\n'
    )
    reader = SecurityReader(PreparedPair(load_pair(str(base), str(adapter), dtype="float32")))
    service = build_proxy(lambda run: LocalTarget(other, run), reader, ("both",), target=other)
    with answering(service) as url, OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        (model,) = client.models.list().data
    assert (model.model_extra["cosec"]["rule"], model.model_extra["cosec"]["strength"]) == ("steer", 1.0)
