"""The paper's rule over text: its law against the closed form, and which servers allow it."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter

import numpy as np
import pytest
import torch

from cosec.decoding.blackbox.gated_text import GatedText, TextRequest
from cosec.decoding.blackbox.interventions import ThresholdProposals
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.targets.text_target import Ask, TargetPrompt, TokenScore
from cosec.decoding.blackbox.text_rule import text_rule
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.sampling import Warping
from cosec.decoding.settings import decoding_settings
from cosec.decoding.trace import TokenOrigin, TokenRecord
from cosec.errors import EndpointError, SettingsError
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_law import (
    LAW,
    LETTERS,
    PROMPT,
    SAMPLING,
    SIGNIFICANCE,
    Scripted,
    fits,
    inline,
    logits,
)
from tests.decoding.law import warped
from tests.devices import DEVICES

LENGTH = 2
SAMPLES = 250


def likely(text: str) -> bool:
    """Whether the scripted target finds a text likely."""
    return zlib.crc32(text.encode()) % 3 != 0


class Scoring(Scripted):
    """Writes letters by `LAW`, and finds two texts of three certain and the others impossible."""

    def __init__(self, reader: SecurityReader) -> None:
        super().__init__()
        self._reader = reader

    async def scores_texts(self) -> bool:
        return True

    async def divided(self, text: str) -> list[str]:
        tokenizer = self._reader.pair.tokenizer
        return ["<s>", *(tokenizer.decode([token]) for token in tokenizer(text, add_special_tokens=False).input_ids)]

    async def scores(self, ask: Ask, text: str) -> list[TokenScore]:
        return [TokenScore(text, 0.0 if likely(text) else -99.0, 0.0)]


async def written(reader: SecurityReader, target: Scripted, sample: int, rule: dict[str, object]) -> list[TokenRecord]:
    request = TextRequest(
        prompt=TargetPrompt(text=PROMPT),
        prompt_ids=tuple(reader.pair.tokenizer(PROMPT).input_ids),
        sample=sample,
        settings=decoding_settings({"name": "threshold", **rule}, {**SAMPLING, "seed": 5}),
        max_new_tokens=LENGTH,
    )
    return [one async for growth in GatedText(target, reader, request, inline).write() for one in growth.records]


def closed_form(reader: SecurityReader, prefix: tuple[int, ...], own: np.ndarray) -> np.ndarray:
    """``Sw(x) A(x) + F(x) sum over y of Sw(y) (1 - A(y))``; tokens without a text of whole characters are rejected."""
    proposals = warped(logits(reader, prefix)[0], **SAMPLING)
    accepted = reader.written_by_decisions.numpy().copy()
    for token in np.flatnonzero(accepted):
        text = reader.tokens.bytes.spelling(int(token)).decode()
        accepted[token] = bool(text) and token not in reader.pair.stop_token_ids and likely(text)
    law = proposals * accepted
    rejected = float((proposals * ~accepted).sum())
    assert 0.2 < rejected < 0.8
    for letter, share in zip(LETTERS, own, strict=True):
        law[reader.pair.tokenizer(letter).input_ids[0]] += rejected * share
    return law


def test_the_law_is_the_papers_with_the_targets_text_as_the_fallback(reader: SecurityReader) -> None:
    prompt = tuple(reader.pair.tokenizer(PROMPT).input_ids)
    target = Scoring(reader)
    found = [asyncio.run(written(reader, target, sample, {"threshold": 0.3})) for sample in range(SAMPLES)]
    counts = Counter(records[0].token_id for records in found)
    law = closed_form(reader, prompt, LAW[""])
    assert fits(counts, law) > SIGNIFICANCE
    assert fits(counts, closed_form(reader, prompt, LAW["@"])) < SIGNIFICANCE, "another fallback is detected"
    letter = max(LETTERS, key=lambda one: counts[reader.pair.tokenizer(one).input_ids[0]])
    first = reader.pair.tokenizer(letter).input_ids[0]
    second = Counter(records[1].token_id for records in found if records[0].token_id == first)
    assert second.total() > 40
    assert fits(second, closed_form(reader, (*prompt, first), LAW[letter])) > SIGNIFICANCE
    for records in found:
        for one in records:
            assert one.gated is None
            assert (one.origin is TokenOrigin.SECURITY) == (one.token_id == one.proposed_id)
    assert target.requests > SAMPLES


def test_from_a_threshold_of_one_on_the_text_is_the_targets(reader: SecurityReader) -> None:
    for sample in range(10):
        records = asyncio.run(written(reader, Scoring(reader), sample, {"threshold": 1.0}))
        assert not any(one.changed for one in records)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ("none", "gives no log-probabilities"),
        ("chats", "gives no log-probabilities"),
        ("failing", "gives no log-probabilities"),
        ("shifted", "wrong ones"),
        ("right", "tokens differ"),
    ],
)
def test_a_server_that_does_not_allow_the_rule_is_told(reader: SecurityReader, scores: str, said: str) -> None:
    async def asked(url: str) -> list[TokenRecord]:
        server = OpenAiServer(ServerAddress(url=url, seconds=10))
        try:
            return await written(reader, server, 0, {})
        finally:
            await server.close()

    with (
        running(FakeServer(lambda _: "x = 1", scores=scores)) as server,
        pytest.raises(EndpointError, match=f"threshold cannot be used: .*{said}.*Use gate"),
    ):
        asyncio.run(asked(server.url))


@pytest.mark.parametrize("given", [{"preset": "release"}, {"preset": "warped"}, {"fallback": "raw"}])
def test_settings_that_a_server_cannot_follow_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="Use --preset paper"):
        text_rule({}, {"name": "threshold", **given})
    assert text_rule({}, {"name": "threshold", "threshold": 0.1, "security_ratio": "warped"})["threshold"] == 0.1
    with pytest.raises(SettingsError, match="'threshold' cannot be used here, as the two models have different tokens"):
        text_rule({}, {"name": "threshold"}, in_process=True)


@pytest.mark.parametrize("device", DEVICES)
def test_a_warped_ratio_is_taken_where_the_scores_are(device: str) -> None:
    scores = torch.tensor([0.5, 0.3, 0.2], device=device).log()
    rule, writable = ThresholdSettings(security_ratio="warped"), torch.ones(3, dtype=torch.bool)
    proposals = ThresholdProposals(rule, Warping(top_k=2), b"key", writable, frozenset())
    accepts = proposals.question(0, 1, "x", scores)
    assert accepts is not None
    found = [accepts([TokenScore("x", float(np.log(target)), 0.0)]) for target in (0.11, 0.12)]
    assert found == [False, True]  # 0.3 of what is left of the token after the cut: 0.375
