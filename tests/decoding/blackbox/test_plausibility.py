"""The plausibility floor over text, for a target in this process."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from cosec.decoding.blackbox.gated_text import GatedText, TextRequest
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.text_target import Ask, Proposal, TargetPrompt
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import decoding_settings
from cosec.models.loading.load import load_pair
from tests.decoding.blackbox.test_law import PROMPT, SIGNIFICANCE, fits, inline, logits
from tests.decoding.law import warped
from tests.devices import DEVICES
from tests.tiny import save_tiny

SAMPLING = {"temperature": 2.0, "top_p": 0.3}
FLOOR = 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = "print(reader.path)\nreturn os.path.join(directory, file_name)\nexecute(select, name)\n"
    return save_tiny("llama", tmp_path_factory.mktemp("other"), seed=5, corpus=corpus)


def loaded(folder: Path, device: str = "cpu") -> LocalTarget:
    return LocalTarget(PreparedPair(load_pair(str(folder), "none", dtype="float32", device_map=device)), inline)


@pytest.fixture(scope="module")
def target(folder: Path) -> LocalTarget:
    return loaded(folder)


@torch.inference_mode()
def plausible(target: LocalTarget, text: str) -> bool:
    """Whether each of the target's tokens of a text after the prompt reaches the floor, from one pass."""
    ids = [token for token, _ in target.tokens.encode(text)]
    prompt = list(target.pair.tokenizer(PROMPT).input_ids)
    scores = target.pair.target_model().prefill([()]).advance(torch.tensor([[*prompt, *ids]]))[0].log_softmax(dim=-1)
    places = range(len(prompt) - 1, len(prompt) + len(ids) - 1)
    return all(
        float(scores[place, token]) >= float(scores[place].max()) + math.log(FLOOR)
        for place, token in zip(places, ids, strict=True)
    )


async def first_token(target: LocalTarget, reader: SecurityReader, seed: int) -> int | None:
    """The token that replaced the target's in a completion of one token, all of whose positions are decisions."""
    rule = {"name": "gate", "strength": 0.0, "plausibility_floor": FLOOR}
    request = TextRequest(
        prompt=TargetPrompt(text=PROMPT),
        prompt_ids=tuple(reader.pair.tokenizer(PROMPT).input_ids),
        settings=decoding_settings(rule, {**SAMPLING, "seed": seed, "max_new_tokens": 1}),
        max_new_tokens=1,
    )
    records = [one async for growth in GatedText(target, reader, request, inline).write() for one in growth.records]
    return next((one.token_id for one in records[:1] if one.changed), None)


def test_a_replacing_token_has_the_security_models_law_limited_to_plausible_ones(
    target: LocalTarget, reader: SecurityReader
) -> None:
    prompt = tuple(reader.pair.tokenizer(PROMPT).input_ids)
    security, _ = logits(reader, prompt)
    law = warped(security, **SAMPLING) * reader.written_by_decisions.numpy()
    texts = {int(token): reader.tokens.bytes.spelling(int(token)).decode() for token in np.flatnonzero(law)}
    good = {token for token, text in texts.items() if plausible(target, text)}
    assert 0 < len(good) < len(texts)
    counts = Counter[int]()
    for seed in range(60):
        token = asyncio.run(first_token(target, reader, seed))
        if token is not None:
            assert token in good
            counts[token] += 1
    assert sum(counts.values()) > 15
    limited = np.array([law[token] if token in good else 0.0 for token in range(len(law))])
    assert fits(counts, limited / limited.sum()) > SIGNIFICANCE


def test_a_text_that_fills_the_targets_context_ends_at_its_limit(target: LocalTarget) -> None:
    text = "(os.path)"
    room = len(target.tokens.encode(text))
    ask = Ask(prompt=TargetPrompt(ids=(5,) * (target.pair.context_length - room)), written=text, max_tokens=9)

    async def proposed() -> list[Proposal]:
        return [one async for one in target.propose(ask)]

    assert asyncio.run(proposed()) == [Proposal("", "length")]


@pytest.mark.parametrize("device", DEVICES)
def test_a_text_is_scored_by_the_targets_tokens_of_it(folder: Path, device: str) -> None:
    target = loaded(folder, device)
    ask = Ask(prompt=TargetPrompt(text=PROMPT), written="(os", max_tokens=1)
    scores = asyncio.run(target.scores(ask, ".path)"))
    ids = [token for token, _ in target.tokens.encode("(os.path)")]
    assert 1 <= len(scores) <= len(ids)
    assert all(one.log_prob <= one.best for one in scores)
