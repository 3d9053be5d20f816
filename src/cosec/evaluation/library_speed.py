"""How long a token takes in llama.cpp's own loop, and in our engine with the target alone, in alternation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import decoding_settings
from cosec.models.loading.quantised import GgufPair
from cosec.runtime import LibraryLoop

_WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySpeed:
    """The target alone in both loops."""

    batch: int
    """Sequences decoded at once."""

    library_ms: float
    """Milliseconds in which every sequence gets a token in llama.cpp's own loop, with its own greedy sampler."""

    engine_ms: float
    """The same in our engine at temperature 0."""

    ratio: float
    """Median over rounds of our time, divided by that of the library."""


def measure_library(pair: PreparedPair, prompt: str, *, batch: int, rounds: int, tokens: int) -> LibrarySpeed | None:
    """Time the target of a pair alone, in alternation.

    Args:
        pair: The models, of which only the target runs.
        prompt: The text to continue.
        batch: Sequences decoded at once.
        rounds: Timed rounds. One more round warms up.
        tokens: Tokens of each sequence that are timed in each round, after four that are not.

    Returns:
        Medians; None if llama.cpp does not run the pair.
    """
    if not isinstance(pair.pair, GgufPair):
        return None
    ids = tuple(pair.tokenizer(prompt).input_ids)
    target = pair.pair.target
    loop = LibraryLoop(target.file, target.name, ids, rows=batch, tokens=tokens, warm_up=_WARM_UP_TOKENS)
    times = [
        (loop.seconds_per_token(), _engine_seconds_per_token(pair, ids, batch, tokens)) for _ in range(rounds + 1)
    ][1:]
    loop.close()
    theirs, ours = (1000 * median(one) for one in zip(*times, strict=True))
    ratio = median(two / one for one, two in times)
    return LibrarySpeed(batch=batch, library_ms=theirs, engine_ms=ours, ratio=ratio)


def _engine_seconds_per_token(pair: PreparedPair, prompt: tuple[int, ...], batch: int, tokens: int) -> float:
    """The same for our engine with the target alone, at temperature 0."""
    limit = tokens + _WARM_UP_TOKENS
    settings = decoding_settings({}, {"temperature": 0.0, "max_new_tokens": limit}).for_one_model()
    requests = [SequenceRequest(prompt_ids=prompt, sample_index=row, max_new_tokens=limit) for row in range(batch)]
    run = Run(pair.target_lane(), rule_for(settings), settings, requests)
    for _ in range(_WARM_UP_TOKENS):
        run.step()
    begun = time.perf_counter()
    for _ in range(tokens):
        run.step()
    return (time.perf_counter() - begun) / tokens
