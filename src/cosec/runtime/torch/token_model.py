"""A transformers model as a ``TokenModel``: a batch of rows with a key-value cache, some of them through an adapter.

Axes: rows = sequences, new = tokens fed by one call, vocab = entries that both models of a pair share.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from cosec.models.attention_window import drop_idle_window, require_full_attention
from cosec.runtime.torch.kv_cache import ForwardInputs, KeyValueCache, reads_prefixes
from cosec.runtime.torch.lora_rows import AdapterSwitch

AdapterUse = Literal["off", "on", "leading half", "two adapters"]
"""Which rows of a batch an attached adapter acts on; ``two adapters``: each on half of them."""


@dataclass(slots=True)
class TorchTokenModel:
    """A model, its cache, and which of its rows go through the adapter.

    With ``adapter="leading half"`` the batch is [security rows, target rows] over shared weights; with ``two adapters``
    the second half goes through the second adapter. The prompts given to ``prefill`` must then be the same list twice.
    """

    model: PreTrainedModel
    """The weights; never changed."""

    vocabulary_size: int
    """Number of logits that are returned; a model's further logits belong to no token."""

    switch: AdapterSwitch | None = None
    """The switch of the adapter that is attached to the weights; None without one."""

    adapter: AdapterUse = "off"
    """Which rows the adapter acts on."""

    cache: KeyValueCache | None = None
    """Keys and values of what the rows were fed; None before ``prefill``."""

    prefix: Sequence[tuple[Tensor, Tensor]] = ()
    """Keys and values of virtual tokens that every row begins with, for each layer (heads, tokens, width)."""

    unfed: tuple[int, ...] = ()
    """Tokens that every row is still to be fed, with its next ones."""

    def __post_init__(self) -> None:
        """Check that the adapter and the model's attention can be used.

        Raises:
            UnknownArchitecture: If some layer attends to a window of tokens only.
        """
        if self.adapter != "off" and self.switch is None:
            raise ValueError(f"adapter={self.adapter!r} needs an attached adapter")
        require_full_attention(self.model.config, type(self.model).__name__)
        drop_idle_window(self.model.config)

    @property
    def row_count(self) -> int:
        """Number of rows in the batch; 0 before ``prefill``."""
        return 0 if self.cache is None else self.cache.rows

    @torch.inference_mode()
    def prefill(self, prompts: Sequence[Sequence[int]]) -> TorchTokenModel:
        """Start a batch with one row for each prompt; each prompt is fed alone, so that none depends on another."""
        half = self.adapter in ("leading half", "two adapters")
        distinct = prompts[: len(prompts) // 2] if half else prompts
        parts = [self._prefilled(prompt, rows=2 if half else 1) for prompt in distinct]
        cache = KeyValueCache.joined(parts)
        if half and len(parts) > 1:
            cache.select([*range(0, len(prompts), 2), *range(1, len(prompts), 2)])
        return self._with(cache)

    def _with(self, cache: KeyValueCache) -> TorchTokenModel:
        """A batch of the same model with another cache."""
        return TorchTokenModel(self.model, self.vocabulary_size, self.switch, self.adapter, cache, self.prefix)

    @property
    def _prefix_tokens(self) -> int:
        return self.prefix[0][0].shape[1] if self.prefix else 0

    def _prefilled(self, prompt: Sequence[int], rows: int) -> KeyValueCache:
        layers = self.model.config.num_hidden_layers
        cache = KeyValueCache(layers, rows, self.model.device, shares_prefixes=reads_prefixes(self.model))
        if self.prefix:
            cache.begin_with(self.prefix, [-1 - token for token in range(self._prefix_tokens)])
        if prompt:
            tokens = torch.tensor(list(prompt), device=self.model.device).expand(rows, -1)
            self._forward(self.model.base_model, tokens, cache, prompt)
        return cache

    @torch.inference_mode()
    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        """Feed tokens to every row; the float32 logits after each of them, on the model's device."""
        assert self.cache is not None, "prefill first"
        tokens, asked, scored = tokens.to(self.model.device), tokens.shape[1], {}
        waiting, self.unfed = self.unfed, ()
        if waiting:
            tokens = torch.cat([tokens.new_tensor(waiting).expand(tokens.shape[0], -1), tokens], dim=1)
            scored = {"logits_to_keep": asked} if _scores_a_part(self.model) else {}
        logits: Tensor = self._forward(self.model, tokens, self.cache, waiting, **scored).logits
        return logits[:, -asked:, : self.vocabulary_size].float()

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row."""
        assert self.cache is not None, "prefill first"
        self.cache.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row that is named several times is copied."""
        assert self.cache is not None, "prefill first"
        self.feed(())
        with torch.inference_mode():
            self.cache.select(rows)

    @torch.inference_mode()
    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row without scoring them; ``later``: in one pass with the next ones."""
        assert self.cache is not None, "prefill first"
        token_ids, self.unfed = (*self.unfed, *token_ids), ()
        if later:
            self.unfed = token_ids
        elif token_ids:
            tokens = torch.tensor(list(token_ids), device=self.model.device).expand(self.cache.rows, -1)
            self._forward(self.model.base_model, tokens, self.cache, token_ids)

    def join(self, newcomers: Sequence[TorchTokenModel]) -> None:
        """Append the rows of other batches of this model, in order; the others are used up."""
        for one in (self, *newcomers):
            one.feed(())
        parts = [one.cache for one in (self, *newcomers) if one.cache is not None]
        with torch.inference_mode():
            self.cache = KeyValueCache.joined(parts)

    def fork(self, kept: int) -> TorchTokenModel:
        """Copy the batch as it was after the first ``kept`` tokens of each row."""
        assert self.cache is not None, "prefill first"
        self.feed(())
        with torch.inference_mode():
            cache = self.cache.prefix(self._prefix_tokens + kept)
        return self._with(cache)

    def _forward(
        self, module: torch.nn.Module, tokens: Tensor, cache: KeyValueCache, alike: Sequence[int] = (), **scored: int
    ) -> Any:
        """Run the model on new tokens.

        Args:
            module: The model, or its body where nothing is scored.
            tokens: Shape (rows, new).
            cache: Extended by the new tokens.
            alike: The first tokens, where every row is fed the same ones.
            **scored: Further arguments of the model's forward.
        """
        rows = tokens.shape[0]
        inputs = cache.extend(tokens.shape[1], alike)
        longest = getattr(self.model.config, "max_position_embeddings", None)
        if longest is not None:
            # A draft may go past the context for a row that ends inside the draft; those scores are not used.
            inputs = replace(inputs, position_ids=inputs.position_ids.clamp(max=longest - 1))
        if self.switch is None:
            outputs = _run(module, tokens, inputs, **scored)
        else:
            self.switch.rows = {"off": 0, "on": rows}.get(self.adapter, rows // 2)
            self.switch.last_rows = rows // 2 if self.adapter == "two adapters" else 0
            try:
                outputs = _run(module, tokens, inputs, **scored)
            finally:
                self.switch.rows = self.switch.last_rows = 0
        cache.check_filled()
        return outputs


def _scores_a_part(model: PreTrainedModel) -> bool:
    """Whether the model can score the last tokens only."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _run(module: torch.nn.Module, tokens: Tensor, inputs: ForwardInputs, **scored: int) -> Any:
    return module(
        input_ids=tokens,
        position_ids=inputs.position_ids,
        attention_mask=inputs.attention_mask,
        past_key_values=inputs.past_key_values,
        use_cache=True,
        **scored,
    )
