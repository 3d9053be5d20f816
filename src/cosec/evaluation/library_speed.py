"""How long a token takes in llama.cpp's own loop, and in our engine with the target alone, in alternation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median

from cosec.decoding.pairing import PreparedPair
from cosec.evaluation.speed import WARM_UP_TOKENS, target_seconds_per_token
from cosec.models.loading.quantised import GgufPair
from cosec.runtime import LibraryLoop


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
    loop = LibraryLoop(target.file, target.name, ids, rows=batch, tokens=tokens, warm_up=WARM_UP_TOKENS)
    engine = partial(target_seconds_per_token, pair, prompt, batch=batch, tokens=tokens, temperature=0.0)
    times = [(loop.seconds_per_token(), engine()) for _ in range(rounds + 1)][1:]
    loop.close()
    theirs, ours = (1000 * median(one) for one in zip(*times, strict=True))
    ratio = median(two / one for one, two in times)
    return LibrarySpeed(batch=batch, library_ms=theirs, engine_ms=ours, ratio=ratio)
