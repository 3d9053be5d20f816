"""The embedded model behind the official client: streams, chat, and one answer for each request however many run."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from cosec import load_pair
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.evaluation.load import Target, measure_load
from tests.serving.conftest import Served, serving

pytestmark = pytest.mark.embedded
PROMPTS = ["def add(a, b):\n    ", "int main(void) {\n    ", "import os\n\ndef size(path):\n    "]


@pytest.fixture(scope="module")
def pair() -> PreparedPair:
    # In llama.cpp the last bits depend on what else runs, so that a text under load may differ from the text alone.
    return load_pair("smollm2-135m", "default", runtime="torch")


@pytest.fixture(scope="module")
def real(pair: PreparedPair) -> Iterator[Served]:
    with serving(pair, models=("smollm2-135m",)) as running:
        yield running


def test_a_hardened_stream_says_what_the_engine_says(real: Served, pair: PreparedPair) -> None:
    with openai.OpenAI(base_url=real.url + "/v1", api_key="none") as client:
        stream = client.completions.create(
            model="smollm2-135m",
            prompt=PROMPTS[0],
            max_tokens=16,
            temperature=0.4,
            seed=3,
            stream=True,
            extra_body={"cosec": {"threshold": 0.5}},
        )
        text = "".join(chunk.choices[0].text for chunk in stream)
    rule = {"threshold": 0.5}
    settings = DecodingSettings.model_validate(
        {"rule": rule, "sampling": SamplingSettings(temperature=0.4, top_p=1.0, max_new_tokens=16, seed=3)}
    )
    assert text == Completer(pair, settings).complete(PROMPTS[:1])[0].text


def test_chat_answers_through_the_template(real: Served) -> None:
    with openai.OpenAI(base_url=real.url + "/v1", api_key="none") as client:
        asked = {
            "model": "smollm2-135m",
            "messages": [{"role": "user", "content": "Name one primary colour."}],
            "max_tokens": 12,
            "temperature": 0,
        }
        whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
        text = "".join(
            chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)
        )
    assert whole.choices[0].message.content == text != ""
    assert whole.choices[0].logprobs is not None
    assert whole.choices[0].logprobs.content is not None
    assert all(len(entry.top_logprobs) == 2 for entry in whole.choices[0].logprobs.content)
    prompt = whole.usage.prompt_tokens if whole.usage else 0
    assert prompt > 20, "the template's own words are part of the prompt"


def test_no_answer_is_lost_or_mixed_up_under_load(real: Served) -> None:
    result = measure_load(
        Target(url=real.url), PROMPTS, streams=3, requests=6, max_tokens=6, temperature=0.8, check=True
    )
    assert (result.failed, result.mixed_up) == (0, 0)
    assert result.tokens > 24
