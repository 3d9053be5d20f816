"""A pair of GGUF models in llama.cpp: weights once, and a context for each model that runs.

llama.cpp puts an adapter on a whole context. So the security model and its base have contexts of their own, over the
same weights, and there is no pass that runs both.
"""

from __future__ import annotations

from pathlib import Path

from cosec.errors import ModelError, SettingsError
from cosec.models.loading.host_memory import free_memory
from cosec.models.loading.quantised import GgufModel, GgufPair
from cosec.runtime.llama_cpp.context import MOST_SEQUENCES, Context
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights

_BYTES_PER_VALUE = 2
"""Keys and values have 16 bits, llama.cpp's default."""


class LlamaPairModels:
    """The models of a pair as ``PairModels``. A context is made when its model first runs.

    Args:
        pair: The GGUF files.
        vocabulary_size: Number of tokens that both models share.

    Raises:
        ModelError: If llama.cpp cannot open a file, or there is not enough memory.
        AdapterError: If the adapter does not fit its base.
        SettingsError: If llama.cpp is not installed.
    """

    most_sequences: int | None = MOST_SEQUENCES
    """Number of sequences that one context can hold."""

    def __init__(self, pair: GgufPair, vocabulary_size: int) -> None:
        self._pair = pair
        self._vocabulary_size = vocabulary_size
        self._contexts: dict[tuple[Path, bool], Context] = {}
        opened = [one for one in (pair.target, pair.security) if one is not None]
        _check_memory(opened)
        self._weights = {one.file: Weights(one.file, one.name) for one in opened}
        self._adapter = None
        if pair.adapter is not None:
            self._adapter = self._weights[self._base().file].adapter(pair.adapter.file)

    @property
    def cache_bytes_per_token(self) -> int | None:
        """Bytes that one token of a hardened completion takes in all caches; None if a configuration does not tell."""
        opened = [one for one in (self._pair.target, self._pair.security) if one is not None]
        if self._adapter is not None:
            opened.append(opened[-1])
        values = [one.cache_values_per_token for one in opened]
        known = [each for each in values if each is not None]
        return _BYTES_PER_VALUE * sum(known) if len(known) == len(values) else None

    def target(self) -> LlamaTokenModel:
        """The target model."""
        return self._token_model(self._pair.target, adapted=False)

    def security(self) -> LlamaTokenModel:
        """The security model, through its adapter if it is one."""
        return self._token_model(self._base(), adapted=self._adapter is not None)

    def base(self) -> LlamaTokenModel:
        """The security model's own base."""
        return self._token_model(self._base(), adapted=False)

    def opposed(self) -> LlamaTokenModel:
        """Refused: an anti-expert runs in torch.

        Raises:
            SettingsError: Always.
        """
        raise SettingsError("llama.cpp runs no anti-expert: choose --runtime torch.")

    def halves(self) -> None:
        """None: there is no pass with an adapter on some rows only."""

    def _base(self) -> GgufModel:
        return self._pair.target if self._pair.security is None else self._pair.security

    def _token_model(self, model: GgufModel, *, adapted: bool) -> LlamaTokenModel:
        key = (model.file, adapted)
        if key not in self._contexts:
            self._contexts[key] = Context(
                self._weights[model.file],
                self._adapter if adapted else None,
                bytes_per_token=_BYTES_PER_VALUE * (model.cache_values_per_token or 0),
            )
        return LlamaTokenModel(self._contexts[key], self._vocabulary_size)


def _check_memory(models: list[GgufModel]) -> None:
    """Refuse files that do not fit into memory; llama.cpp would read them again from the disk for every token."""
    needed, available = sum({one.file: one.file.stat().st_size for one in models}.values()), free_memory()
    if available is not None and needed > available:
        names = " and ".join(one.name for one in models)
        raise ModelError(
            f"The weights of {names} take {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are available: "
            "end other programs, or choose smaller models."
        )
