"""llama.cpp's own decoding loop, to compare the engine with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from cosec.runtime.llama_cpp.binding import failure, forget_messages, library
from cosec.runtime.llama_cpp.weights import Weights


class LibraryLoop:
    """The shortest loop over llama.cpp's own functions: one pass and one greedy choice for each token.

    Args:
        file: The model's GGUF file.
        name: What messages call it.
        prompt: The tokens to continue, at least two.
        rows: Sequences decoded at once.
        tokens: Tokens of each sequence that are timed.
        warm_up: Tokens before them that are not.

    Raises:
        ModelError: If llama.cpp cannot read the file.
    """

    def __init__(self, file: Path, name: str, prompt: Sequence[int], *, rows: int, tokens: int, warm_up: int) -> None:
        self._c = library()
        params = self._c.llama_context_default_params()
        weights = Weights(file, name)
        longest = max(rows, len(prompt))
        params.n_ctx = len(prompt) + rows * (tokens + warm_up)
        params.n_seq_max, params.kv_unified = rows, True
        params.n_batch = max(params.n_batch, longest)
        params.n_threads = params.n_threads_batch = torch.get_num_threads()
        forget_messages()
        self._context = self._c.llama_init_from_model(weights.handle, params)
        if not self._context:
            raise failure(f"llama.cpp cannot make room for {params.n_ctx} tokens of {name}")
        self._sampler = self._c.llama_sampler_init_greedy()
        self._batch = self._c.llama_batch_init(longest, 0, 1)
        self._prompt, self._rows, self._tokens, self._warm_up = prompt, rows, tokens, warm_up
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
        for step in range(self._warm_up + self._tokens):
            if step == self._warm_up:
                begun = time.perf_counter()
            self._decode([(token, position + step, row, True) for row, token in enumerate(pending)])
            pending = [self._c.llama_sampler_sample(self._sampler, self._context, row) for row in range(self._rows)]
        return (time.perf_counter() - begun) / self._tokens

    def close(self) -> None:
        """Free what llama.cpp allocated."""
        self._c.llama_batch_free(self._batch)
        self._c.llama_sampler_free(self._sampler)
        self._c.llama_free(self._context)
