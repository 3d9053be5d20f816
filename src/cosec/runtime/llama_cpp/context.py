"""A llama.cpp context: keys and values of many sequences in one store, and the passes over them.

The store has *cells*, each with the keys and values of one token. Sequences that begin alike share cells. A sequence is
freed when its object is no longer used. The store grows when it is full: a larger context takes over its contents.

Axes: rows = sequences of one pass, new = tokens of each, scored = the last of them, head = logits of the model.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence as Rows
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.errors import ModelError, SettingsError
from cosec.models.loading.host_memory import free_memory
from cosec.runtime.llama_cpp.binding import failure, forget_messages, library
from cosec.runtime.llama_cpp.weights import LoraAdapter, Weights

MOST_SEQUENCES = 256
"""Number of sequences that one context of llama.cpp can hold."""

_PASS = 2048
"""Tokens of one call of llama.cpp."""
_PIECE = 512
"""Tokens that llama.cpp computes at once."""
_MOST_SCORED = 256
"""Tokens of one call whose logits are wanted; llama.cpp keeps room for so many, and ends the process if there are more.
"""
_FIRST_CELLS, _FIRST_SEQUENCES = 2048, 32
_STORE_IS_FULL = 1
"""llama.cpp's answer if no cells are free; nothing has changed then."""


class Sequence:
    """A sequence in a context. Its cells are freed when the object is."""

    __slots__ = ("_released", "length", "number")

    def __init__(self, number: int, length: int, released: deque[int]) -> None:
        self.number = number
        """Number by which llama.cpp knows it."""
        self.length = length
        """Number of tokens it has been fed."""
        self._released = released

    def __del__(self) -> None:
        # Any thread may get here, at any time: the context frees the cells before its next call.
        self._released.append(self.number)


class _Fed(NamedTuple):
    """Tokens for llama.cpp, with one entry for each in every array."""

    tokens: Int[np.ndarray, "tokens"]
    positions: Int[np.ndarray, "tokens"]
    numbers: Int[np.ndarray, "tokens"]
    """The sequence of each."""
    wanted: Int[np.ndarray, "tokens"]
    """Whether the logits after it are wanted."""


class _Batch:
    """llama.cpp's batch, whose arrays are made once: a pass of one token takes longer to describe than to copy."""

    def __init__(self) -> None:
        self._tokens, self._positions, self._numbers = (np.zeros(_PASS, dtype=np.int32) for _ in range(3))
        self._wanted, self._ones = np.zeros(_PASS, dtype=np.int8), np.ones(_PASS, dtype=np.int32)
        # Where the numbers of each token's sequences begin.
        self._places = self._numbers.ctypes.data + 4 * np.arange(_PASS, dtype=np.uint64)
        self._struct = library().llama_batch(
            token=_pointer(self._tokens, ctypes.c_int32),
            pos=_pointer(self._positions, ctypes.c_int32),
            n_seq_id=_pointer(self._ones, ctypes.c_int32),
            seq_id=_pointer(self._places, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._wanted, ctypes.c_int8),
        )

    def filled(self, fed: _Fed, part: slice) -> Any:
        """The structure with a part of these tokens; valid until the next call."""
        count = part.stop - part.start
        self._tokens[:count], self._positions[:count] = fed.tokens[part], fed.positions[part]
        self._numbers[:count], self._wanted[:count] = fed.numbers[part], fed.wanted[part]
        self._struct.n_tokens = count
        return self._struct


class Context:
    """Keys and values of sequences of one model, with an adapter or without.

    Not thread-safe. Logits are valid until the next pass.

    Args:
        weights: The model.
        adapter: An adapter that acts on every sequence; None for none.
        bytes_per_token: Memory that the keys and values of one token take.
        threads: Number of threads of a pass; None for as many as torch uses.
    """

    def __init__(
        self,
        weights: Weights,
        adapter: LoraAdapter | None = None,
        *,
        bytes_per_token: int = 0,
        threads: int | None = None,
    ) -> None:
        self._weights = weights
        self._adapter = adapter
        self._bytes_per_token = bytes_per_token
        self._threads = torch.get_num_threads() if threads is None else threads
        self._released: deque[int] = deque()
        self._free: list[int] = []
        self._cells, self._sequences = 0, 0
        self._batch = _Batch()
        self._view, self._viewed = torch.empty(0), (0, 0)
        self._handle: Any = None
        self._finalizer: weakref.finalize[[Any], Context] | None = None
        self._enlarge(_FIRST_CELLS, _FIRST_SEQUENCES)

    @property
    def cells(self) -> int:
        """Number of tokens whose keys and values the store can hold."""
        return self._cells

    def begin(self) -> Sequence:
        """A new sequence without tokens.

        Raises:
            SettingsError: If there are more sequences than llama.cpp supports.
            ModelError: If there is not enough memory.
        """
        self._collect()
        if not self._free:
            if self._sequences == MOST_SEQUENCES:
                raise SettingsError(
                    f"llama.cpp holds at most {MOST_SEQUENCES} sequences at once: decode fewer at once "
                    "(--batch-rows), or choose --runtime torch."
                )
            self._enlarge(self._cells, 2 * self._sequences)
        return Sequence(self._free.pop(), 0, self._released)

    def copy(self, source: Sequence, kept: int) -> Sequence:
        """A new sequence with the first ``kept`` tokens of another; both share their cells."""
        new = self.begin()
        if kept:
            library().llama_memory_seq_cp(self._memory(), source.number, new.number, 0, kept)
        new.length = kept
        return new

    def shorten(self, sequence: Sequence, dropped: int) -> None:
        """Forget the last ``dropped`` tokens of a sequence."""
        if dropped:
            sequence.length -= dropped
            library().llama_memory_seq_rm(self._memory(), sequence.number, sequence.length, -1)

    def feed(
        self, sequences: Rows[Sequence], tokens: Int[np.ndarray, "rows new"], scored: int
    ) -> Float[Tensor, "rows scored head"]:
        """Feed each sequence its tokens, and score the token after each of the last ``scored`` ones.

        Args:
            sequences: Different sequences of this context.
            tokens: Token ids, as many for each sequence.
            scored: Number of tokens at the end of each row whose logits are wanted; possibly 0.

        Returns:
            Raw logits: a view of llama.cpp's buffer, or a copy if the tokens took several passes.

        Raises:
            ModelError: If the pass fails, such as for lack of memory.
        """
        rows, new = tokens.shape
        self._collect()
        starts = np.array([sequence.length for sequence in sequences], dtype=np.int32)
        steps = np.arange(new, dtype=np.int32)
        wanted = np.zeros((rows, new), dtype=np.int8)
        wanted[:, new - scored :] = 1
        fed = _Fed(
            tokens=tokens.reshape(-1),
            positions=(starts[:, None] + steps).reshape(-1),
            numbers=np.array([sequence.number for sequence in sequences], dtype=np.int32).repeat(new),
            wanted=wanted.reshape(-1),
        )
        if rows * new <= _PASS and rows * scored <= _MOST_SCORED:
            found = self._pass(fed, slice(0, rows * new), rows * scored)
        else:
            found = torch.cat(
                [self._pass(fed, part, int(fed.wanted[part].sum())).clone() for part in _passes(fed.wanted)]
            )
        for sequence in sequences:
            sequence.length += new
        return found.view(rows, scored, self._weights.head_width)

    def _pass(self, fed: _Fed, part: slice, wanted: int) -> Float[Tensor, "wanted head"]:
        """One call of llama.cpp; the store grows until the tokens fit."""
        functions = library()
        batch = self._batch.filled(fed, part)
        forget_messages()
        while (answer := functions.llama_decode(self._handle, batch)) == _STORE_IS_FULL:
            self._enlarge(2 * self._cells, self._sequences)
        if answer != 0:
            raise failure(f"llama.cpp failed to run {self._weights.name} on {batch.n_tokens} tokens (code {answer})")
        return self._logits(wanted) if wanted else torch.empty(0, self._weights.head_width)

    def _logits(self, count: int) -> Float[Tensor, "wanted head"]:
        """A view of the buffer with the latest logits, which llama.cpp seldom moves."""
        address = ctypes.cast(library().llama_get_logits(self._handle), ctypes.c_void_p).value or 0
        if self._viewed != (address, count):
            width = self._weights.head_width
            buffer = (ctypes.c_float * (count * width)).from_address(address)
            self._view = torch.frombuffer(buffer, dtype=torch.float32).view(count, width)
            self._viewed = address, count
        return self._view

    def _collect(self) -> None:
        """Free the cells of sequences that are no longer used."""
        while self._released:
            number = self._released.popleft()
            library().llama_memory_seq_rm(self._memory(), number, -1, -1)
            self._free.append(number)

    def _memory(self) -> Any:
        return library().llama_get_memory(self._handle)

    def _enlarge(self, cells: int, sequences: int) -> None:
        """Move everything to a context of at least this size.

        Raises:
            ModelError: If there is not enough memory; the present context is then unchanged.
        """
        functions = library()
        self._check_memory(cells)
        params = functions.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, _PASS, _PIECE
        params.n_seq_max, params.n_outputs_max = sequences, _MOST_SCORED
        params.n_threads = params.n_threads_batch = self._threads
        params.kv_unified = True
        params.no_perf = True
        forget_messages()
        handle = functions.llama_init_from_model(self._weights.handle, params)
        if not handle:
            raise failure(f"llama.cpp cannot make room for {cells} tokens of {self._weights.name}")
        try:
            if self._adapter is not None:
                _put_on(handle, self._adapter)
            if self._handle is not None:
                _move_contents(self._handle, handle, self._weights.name)
        except BaseException:
            functions.llama_free(handle)
            raise
        if self._finalizer is not None:
            self._finalizer()
        self._handle = handle
        self._finalizer = weakref.finalize(self, functions.llama_free, handle)
        self._finalizer.atexit = False
        self._free.extend(reversed(range(self._sequences, sequences)))
        self._cells, self._sequences = int(functions.llama_n_ctx(handle)), sequences

    def _check_memory(self, cells: int) -> None:
        """llama.cpp may abort the process if memory runs out, so it is refused before."""
        copied = 0 if self._handle is None else library().llama_state_get_size(self._handle)
        needed, available = cells * self._bytes_per_token + copied, free_memory()
        if available is not None and needed > available:
            raise ModelError(
                f"{cells} tokens of {self._weights.name} need {needed / 1e9:.1f} GB of memory, and "
                f"{available / 1e9:.1f} GB are available: decode fewer completions at once, or shorter ones."
            )


def _passes(wanted: Int[np.ndarray, "tokens"]) -> Iterator[slice]:
    """Cut tokens into passes that llama.cpp can take."""
    counts = np.concatenate([[0], wanted.cumsum(dtype=np.int64)])
    start = 0
    while start < wanted.size:
        longest = int(np.searchsorted(counts, counts[start] + _MOST_SCORED, side="right")) - 1
        stop = min(start + _PASS, longest)
        yield slice(start, stop)
        start = stop


def _pointer(values: np.ndarray, kind: Any) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(kind))


def _put_on(handle: Any, adapter: LoraAdapter) -> None:
    functions = library()
    adapters = (functions.llama_adapter_lora_p_ctypes * 1)(adapter.handle)
    if functions.llama_set_adapters_lora(handle, adapters, 1, (ctypes.c_float * 1)(1.0)) != 0:
        raise failure(f"llama.cpp cannot use the adapter on {adapter.weights.name}")


def _move_contents(source: Any, target: Any, name: str) -> None:
    """Copy all keys and values of one context to another; sequences that share cells still do."""
    functions = library()
    size = functions.llama_state_get_size(source)
    contents = np.empty(size, dtype=np.uint8)
    pointer = _pointer(contents, ctypes.c_uint8)
    if (
        functions.llama_state_get_data(source, pointer, size) != size
        or functions.llama_state_set_data(target, pointer, size) != size
    ):
        raise failure(f"llama.cpp cannot move the keys and values of {name}")
