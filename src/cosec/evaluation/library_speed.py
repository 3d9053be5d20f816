"""How long a token takes in llama.cpp's own loop, and in our engine with the target alone, in alternation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import decoding_settings
from cosec.models.loading.quantised import GgufPair
from cosec.runtime.llama_cpp.binding import library
from cosec.runtime.llama_cpp.weights import Weights

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
    loop = _LibraryLoop(Weights(target.file, target.name), ids, batch, tokens)
    times = [
        (loop.seconds_per_token(), _engine_seconds_per_token(pair, ids, batch, tokens)) for _ in range(rounds + 1)
    ][1:]
    loop.close()
    theirs, ours = (1000 * median(one) for one in zip(*times, strict=True))
    ratio = median(two / one for one, two in times)
    return LibrarySpeed(batch=batch, library_ms=theirs, engine_ms=ours, ratio=ratio)


class _LibraryLoop:
    """The shortest loop over llama.cpp's own functions: one pass and one greedy choice for each token."""

    def __init__(self, weights: Weights, prompt: tuple[int, ...], batch: int, tokens: int) -> None:
        self._c = library()
        params = self._c.llama_context_default_params()
        longest = max(batch, len(prompt))
        params.n_ctx = len(prompt) + batch * (tokens + _WARM_UP_TOKENS)
        params.n_seq_max, params.kv_unified = batch, True
        params.n_batch = max(params.n_batch, longest)
        params.n_threads = params.n_threads_batch = torch.get_num_threads()
        self._context = self._c.llama_init_from_model(weights.handle, params)
        self._sampler = self._c.llama_sampler_init_greedy()
        self._batch = self._c.llama_batch_init(longest, 0, 1)
        self._prompt, self._rows, self._tokens = prompt, batch, tokens
        self._weights = weights  # freed with the loop, not before it

    def _decode(self, tokens: list[tuple[int, int, int, bool]]) -> None:
        self._batch.n_tokens = len(tokens)
        for index, (token, position, row, wanted) in enumerate(tokens):
            self._batch.token[index], self._batch.pos[index] = token, position
            self._batch.n_seq_id[index], self._batch.seq_id[index][0] = 1, row
            self._batch.logits[index] = wanted
        assert self._c.llama_decode(self._context, self._batch) == 0

    def seconds_per_token(self) -> float:
        """Seconds of one token of every row."""
        memory = self._c.llama_get_memory(self._context)
        self._c.llama_memory_clear(memory, False)
        *read, last = self._prompt
        self._decode([(token, position, 0, position == 0) for position, token in enumerate(read)])
        for row in range(1, self._rows):
            self._c.llama_memory_seq_cp(memory, 0, row, -1, -1)
        pending, position, begun = [last] * self._rows, len(read), 0.0
        for step in range(_WARM_UP_TOKENS + self._tokens):
            if step == _WARM_UP_TOKENS:
                begun = time.perf_counter()
            self._decode([(token, position + step, row, True) for row, token in enumerate(pending)])
            pending = [self._c.llama_sampler_sample(self._sampler, self._context, row) for row in range(self._rows)]
        return (time.perf_counter() - begun) / self._tokens

    def close(self) -> None:
        """Free what llama.cpp allocated."""
        self._c.llama_batch_free(self._batch)
        self._c.llama_sampler_free(self._sampler)
        self._c.llama_free(self._context)


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
