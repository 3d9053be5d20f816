"""The law of text that is steered, against its closed form over the target's vocabulary."""

from __future__ import annotations

import asyncio
import codecs
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cosec.decoding.blackbox.gated_text import TextRequest
from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.steering.adapter_change import AdapterChange
from cosec.decoding.blackbox.steering.steered_text import LEAST_SHARE, MOST_CANDIDATES, SteeredText
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import decoding_settings
from cosec.models.loading.load import load_pair
from tests.decoding.blackbox.steering.test_adapter_change import PROMPT, change
from tests.decoding.blackbox.test_law import SIGNIFICANCE, fits, inline
from tests.decoding.law import raw, warped
from tests.decoding.pairs import shared_folders

SAMPLING = {"temperature": 0.8, "top_p": 0.9}


def request(reader: SecurityReader, strength: float, tokens: int, **sampling: object) -> TextRequest:
    given = {**SAMPLING, "seed": 3, "max_new_tokens": tokens, "code_end": "none", **sampling}
    return TextRequest(
        prompt=TargetPrompt(text=PROMPT),
        prompt_ids=tuple(reader.pair.tokenizer(PROMPT).input_ids),
        settings=decoding_settings({"name": "steer", "strength": strength}, given),
        max_new_tokens=tokens,
    )


def shown(written: bytes) -> str:
    """The characters of some bytes, without one that is not complete."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(written)


async def written(target: LocalTarget, reader: SecurityReader, asked: TextRequest) -> tuple[str, list[bool], str]:
    """A completion: its text, whether each token of the security model was changed, and why it ended."""
    growths = [growth async for growth in SteeredText(target, reader, asked, inline).write()]
    changed = [record.changed for growth in growths for record in growth.records]
    spelled = b"".join(reader.tokens.bytes.spelling(record.token_id) for growth in growths for record in growth.records)
    text = "".join(growth.text for growth in growths)
    assert spelled.decode() == text
    return text, changed, str(growths[-1].finish_reason)


@torch.inference_mode()
def law(reader: SecurityReader, other: PreparedPair, strength: float, tokens: list[int]) -> np.ndarray:
    """The distribution of the target's next token after some, from the definition."""
    target = LocalTarget(other, inline)
    text = b"".join(map(target.tokens.bytes.of, tokens)).decode()
    ids = [*other.tokenizer(PROMPT).input_ids, *tokens]
    logits = other.target_model().prefill([()]).advance(torch.tensor([ids]))[0, -1].double().numpy()
    probs = raw(logits)
    likely = np.argsort(-probs)[:MOST_CANDIDATES]
    shifts = np.zeros_like(probs)
    for token in likely[probs[likely] >= LEAST_SHARE * probs.max()]:
        if token in other.stop_token_ids:
            shifts[token] = change(reader, text, ends=True) - change(reader, text)
        else:
            added = shown(target.tokens.bytes.of(int(token)))
            shifts[token] = change(reader, text + added) - change(reader, text)
    return warped(np.log(probs) + strength * shifts, **SAMPLING)


def test_the_first_token_has_the_law_of_the_definition(reader: SecurityReader, other: PreparedPair) -> None:
    target, counts = LocalTarget(other, inline), Counter[str]()
    asked = request(reader, 2.0, 1)
    for sample in range(250):
        text, _, _ = asyncio.run(written(target, reader, replace(asked, sample=sample)))
        counts[text] += 1
    expected = Counter[str]()
    for token, probability in enumerate(law(reader, other, 2.0, [])):
        expected[shown(target.tokens.bytes.of(token))] += float(probability)
    texts = sorted(expected)
    seen = Counter({index: counts[text] for index, text in enumerate(texts) if counts[text]})
    assert sum(seen.values()) == 250
    assert fits(seen, np.array([expected[text] for text in texts])) > SIGNIFICANCE
    alone = law(reader, other, 0.0, [])
    assert np.abs(alone - law(reader, other, 2.0, [])).sum() > 0.1


def test_greedy_tokens_are_the_best_of_the_law_at_every_position(reader: SecurityReader, other: PreparedPair) -> None:
    target, tokens = LocalTarget(other, inline), list[int]()
    for _ in range(4):
        tokens.append(int(law(reader, other, 2.0, tokens).argmax()))
    asked = request(reader, 2.0, len(tokens), temperature=0.0)
    text, _, reason = asyncio.run(written(target, reader, asked))
    assert text.encode() == b"".join(map(target.tokens.bytes.of, tokens))
    assert reason == "length"


@pytest.mark.parametrize("sample", [0, 1])
def test_a_strength_of_zero_is_the_target_alone_for_every_seed(
    reader: SecurityReader, other: PreparedPair, sample: int
) -> None:
    asked = replace(request(reader, 0.0, 12), sample=sample)
    completer = Completer(other, asked.settings, alone="target", rows=2)
    alone = completer.complete([PROMPT], n=2)[sample]
    text, changed, _ = asyncio.run(written(LocalTarget(other, inline), reader, asked))
    assert text == alone.text
    steered, changes, _ = asyncio.run(
        written(LocalTarget(other, inline), reader, replace(request(reader, 4.0, 12), sample=sample))
    )
    assert steered != text
    assert any(changes)
    assert len(changed) >= 2


def test_an_adapter_without_effect_leaves_the_targets_text(
    reader: SecurityReader, other: PreparedPair, tmp_path: Path
) -> None:
    target, adapter = shared_folders(tmp_path)
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: 1e-9 * one for name, one in weights.items()}, adapter / "adapter_model.safetensors")
    without = SecurityReader(PreparedPair(load_pair(str(target), str(adapter), dtype="float32")))
    text, _, _ = asyncio.run(written(LocalTarget(other, inline), without, request(reader, 4.0, 12)))
    alone, _, _ = asyncio.run(written(LocalTarget(other, inline), reader, request(reader, 0.0, 12)))
    assert text == alone


@pytest.mark.parametrize("open_ended", [True, False])
def test_a_text_of_no_given_length_ends_where_it_fills_the_security_models_context(
    reader: SecurityReader, other: PreparedPair, monkeypatch: pytest.MonkeyPatch, open_ended: bool
) -> None:
    def full(change: AdapterChange, texts: object) -> list[float]:
        if len(change.tokens) >= 6:
            raise ContextFull("full")
        return of(change, texts)

    of = AdapterChange.of
    monkeypatch.setattr(AdapterChange, "of", full)
    asked = request(reader, 2.0, 40)
    asked = replace(asked, prompt=replace(asked.prompt, open_ended=open_ended))
    if open_ended:
        text, changed, reason = asyncio.run(written(LocalTarget(other, inline), reader, asked))
        assert (reason, bool(text), len(changed) >= 6) == ("length", True, True)
    else:
        with pytest.raises(ContextFull):
            asyncio.run(written(LocalTarget(other, inline), reader, asked))


def test_a_stop_text_ends_it_and_is_cut(reader: SecurityReader, other: PreparedPair) -> None:
    whole, _, _ = asyncio.run(written(LocalTarget(other, inline), reader, request(reader, 2.0, 12)))
    asked = request(reader, 2.0, 12, stop=(whole[3:5],))
    growths = asyncio.run(_growths(LocalTarget(other, inline), reader, asked))
    assert "".join(growths) == whole[: whole.index(whole[3:5])]


async def _growths(target: LocalTarget, reader: SecurityReader, asked: TextRequest) -> list[str]:
    return [growth.text async for growth in SteeredText(target, reader, asked, inline).write()]
