"""The law of text that is gated: the target's own outside of decisions, the security model's at them.

The target is scripted, with three characters that are tokens of their own, so that its law is known in closed form.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import torch
from scipy import stats

from cosec.decoding.blackbox.gated_text import GatedText, Patience, TextRequest
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.text_target import Ask, Proposal, TargetFailure, TargetPrompt
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.decoding.trace import TokenRecord
from cosec.models.loading.load import load_pair
from tests.decoding.law import divergence, warped
from tests.tiny import save_tiny

LETTERS = "~^@"
LAW = {
    "~": np.array([0.1, 0.6, 0.3]),
    "^": np.array([0.5, 0.2, 0.3]),
    "@": np.array([0.3, 0.3, 0.4]),
    "": np.array([0.7, 0.2, 0.1]),
}
"""Probabilities of the three letters after each of them; the last row holds after all others."""

PROMPT = "def read(path"
SAMPLING = {"temperature": 0.8, "top_p": 0.9}
LENGTH = 4
SAMPLES = 500
SIGNIFICANCE = 1e-3


class Scripted:
    """Writes letters by `LAW`, with random numbers of the request's seed."""

    def __init__(self) -> None:
        self.requests = 0

    async def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        self.requests += 1
        draws, last = np.random.default_rng(ask.seed), (ask.prompt.text + ask.written)[-1]
        for left in reversed(range(ask.max_tokens)):
            last = LETTERS[draws.choice(3, p=LAW.get(last, LAW[""]))]
            yield Proposal(last, None if left else "length")

    async def close(self) -> None:
        return None


async def inline(run: Callable[[], object]) -> object:
    return run()


def settings(strength: float, seed: int = 11) -> DecodingSettings:
    rule = {"name": "gate", "strength": strength, "plausibility_floor": 0.0}
    return decoding_settings(rule, {**SAMPLING, "seed": seed, "max_new_tokens": LENGTH})


async def records_of(reader: SecurityReader, strength: float, samples: int) -> list[list[TokenRecord]]:
    prompt_ids = tuple(reader.pair.tokenizer(PROMPT).input_ids)
    found = []
    for sample in range(samples):
        request = TextRequest(
            prompt=TargetPrompt(text=PROMPT),
            prompt_ids=prompt_ids,
            sample=sample,
            settings=settings(strength),
            max_new_tokens=LENGTH,
        )
        writer = GatedText(Scripted(), reader, request, inline)
        found.append([record async for growth in writer.write() for record in growth.records])
    return found


@torch.inference_mode()
def logits(reader: SecurityReader, prefix: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What the security model and its base predict after a prefix, each from a pass of its own."""
    rows = reader.pair.security_and_base().prefill([(), ()])
    both = rows.advance(torch.tensor([prefix, prefix]))[:, -1].double().numpy()
    return both[0], both[1]


def fits(counts: Counter[int], expected: np.ndarray) -> float:
    """The chi-square test's probability; outcomes that are expected less than five times count as one."""
    total = sum(counts.values())
    assert all(expected[token] > 0 for token in counts)
    often = [token for token in range(len(expected)) if expected[token] * total >= 5]
    seen = [counts[token] for token in often]
    wanted = [expected[token] * total for token in often]
    rest = total - sum(wanted)
    if rest >= 1:
        seen, wanted = [*seen, total - sum(seen)], [*wanted, rest]
    else:
        wanted = [one * sum(seen) / sum(wanted) for one in wanted]
    return float(stats.chisquare(seen, wanted).pvalue)


def test_the_law_is_the_targets_outside_of_decisions_and_the_security_models_at_them(reader: SecurityReader) -> None:
    prompt = tuple(reader.pair.tokenizer(PROMPT).input_ids)
    letters = [reader.pair.tokenizer(letter).input_ids[0] for letter in LETTERS]
    first = {
        letter: divergence(*logits(reader, (*prompt, token)), "kl")
        for letter, token in zip(LETTERS, letters, strict=True)
    }
    start = divergence(*logits(reader, prompt), "kl")
    strength = (sorted([start, *first.values()])[1] + sorted([start, *first.values()])[2]) / 2
    found = asyncio.run(records_of(reader, strength, SAMPLES))

    ungated, gated = defaultdict[str, Counter[int]](Counter), defaultdict[tuple[int, ...], Counter[int]](Counter)
    for records in found:
        prefix = prompt
        for record in records:
            if record.gated:
                gated[prefix][record.token_id] += 1
            else:
                last = reader.tokens.bytes.spelling(prefix[-1]).decode(errors="replace")[-1:]
                ungated[last if last in LETTERS else ""][letters.index(record.token_id)] += 1
            prefix = (*prefix, record.token_id)
    assert len(ungated) >= 2
    for last, counts in ungated.items():
        if sum(counts.values()) >= 30:
            assert fits(counts, LAW[last]) > SIGNIFICANCE, last

    prefix = max(gated, key=lambda one: sum(gated[one].values()))
    security, base = logits(reader, prefix)
    assert divergence(security, base, "kl") > strength
    allowed = reader.written_by_decisions.numpy()
    law = warped(security, **SAMPLING) * allowed
    assert sum(gated[prefix].values()) >= 100
    assert fits(gated[prefix], law / law.sum()) > SIGNIFICANCE
    assert not all(allowed)


def test_a_law_that_is_wrong_is_detected(reader: SecurityReader) -> None:
    found = asyncio.run(records_of(reader, 1e9, 150))
    letters = [reader.pair.tokenizer(letter).input_ids[0] for letter in LETTERS]
    counts = Counter(letters.index(records[0].token_id) for records in found)
    assert fits(counts, LAW[""]) > SIGNIFICANCE
    assert fits(counts, LAW["@"]) < SIGNIFICANCE


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    folder = save_tiny("llama", tmp_path_factory.mktemp("alone"), seed=8)
    return PreparedPair(load_pair(str(folder), "none", dtype="float32"))


async def continued(pair: PreparedPair, text: str, tokens: int) -> str:
    sampling = decoding_settings({}, {"temperature": 0.0}).sampling
    ask = Ask(prompt=TargetPrompt(text=text), max_tokens=tokens, sampling=sampling)
    return "".join([one.text async for one in LocalTarget(pair, inline).propose(ask)])


def test_a_cut_changes_a_greedy_text_only_where_the_text_before_it_is_tokenized_anew(alone: PreparedPair) -> None:
    """Each of the target's texts is cut after each token, and the target asked again: equal unless re-tokenized."""
    equal = explained = 0
    for prompt in ("def read(path", "int main(", "import os\n"):
        greedy = DecodingSettings(
            sampling=decoding_settings({}, {"temperature": 0.0, "max_new_tokens": 12, "code_end": "none"}).sampling
        )
        (whole,) = Completer(alone, greedy, alone="target").complete([prompt])
        ids = [record.token_id for record in whole.records]
        prompt_ids = list(alone.tokenizer(prompt).input_ids)
        for kept in range(1, len(ids)):
            before = str(alone.tokenizer.decode(ids[:kept]))
            if not whole.text.startswith(before):
                continue  # the cut is inside a character
            after = asyncio.run(continued(alone, prompt + before, len(ids) - kept))
            if list(alone.tokenizer(prompt + before).input_ids) == prompt_ids + ids[:kept]:
                assert before + after == whole.text
                equal += 1
            else:
                explained += 1
    assert equal
    assert explained
    assert equal + explained > 15


FIRST = {"a": 0.5, "b": 0.1, "ab": 0.4}
AFTER = {"a": {"a": 0.2, "b": 0.5, "ab": 0.3}, "b": {"a": 0.9, "b": 0.05, "ab": 0.05}, "ab": {"a": 0.1, "b": 0.9}}
"""The law of a target with the tokens ``a``, ``b`` and ``ab``: of the first token, and after each."""


class Merging:
    """A target that tokenizes what it is asked to continue, the longest tokens first; it may fail after two letters."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    async def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        draws, text = np.random.default_rng(ask.seed), ask.written
        last = "" if not text else "ab" if text.endswith("ab") else text[-1]
        while len(text) < 3:
            law = AFTER[last] if last else FIRST
            last = str(draws.choice(list(law), p=list(law.values())))
            text += last
            yield Proposal(last)
            if self._fails and not ask.written and len(text) == 2:
                raise TargetFailure("it is told to")
        yield Proposal("", "stop")

    async def close(self) -> None:
        return None


async def third_letters(samples: int, *, fails: bool) -> np.ndarray:
    """The share of each letter after the text ``ab``."""
    found = Counter[str]()
    for sample in range(samples):
        request = TextRequest(
            prompt=TargetPrompt(text=PROMPT),
            prompt_ids=(1,),
            sample=sample,
            settings=settings(0.0),
            hardened=False,
            max_new_tokens=9,
        )
        patience = Patience(pause=0.0)
        writer = GatedText(Merging(fails=fails), None, request, inline, patience=patience)
        text = "".join([growth.text async for growth in writer.write()])
        if text.startswith("ab"):
            found[text[2]] += 1
    return np.array([found["a"], found["b"]]) / found.total()


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).sum() / 2)


def test_the_total_variation_of_a_cut_is_the_weight_of_other_spellings_of_the_text() -> None:
    """The law of the letter after ``ab``, uncut and cut there, against the closed form."""
    weights = np.array([FIRST["ab"], FIRST["a"] * AFTER["a"]["b"]])  # spelled `ab`, and spelled `a`, `b`
    after_ab = np.array([AFTER["ab"]["a"], AFTER["ab"]["b"]])
    after_b = np.array([AFTER["b"]["a"] + AFTER["b"]["ab"], AFTER["b"]["b"]])
    uncut = (weights[0] * after_ab + weights[1] * after_b) / weights.sum()
    measured = asyncio.run(third_letters(2500, fails=False)), asyncio.run(third_letters(2500, fails=True))
    assert measured[0] == pytest.approx(uncut, abs=0.04)
    assert measured[1] == pytest.approx(after_ab, abs=0.04)
    share = weights[1] / weights.sum()
    assert total_variation(uncut, after_ab) == pytest.approx(share * total_variation(after_b, after_ab))
    assert total_variation(*measured) == pytest.approx(total_variation(uncut, after_ab), abs=0.04)
