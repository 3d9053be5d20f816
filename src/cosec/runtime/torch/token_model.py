"""A transformers model as a batch of rows that are fed tokens and answer with logits.

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

from cosec.errors import ModelError
from cosec.runtime.torch.kv_cache.cache import ForwardInputs, KeyValueCache
from cosec.runtime.torch.kv_cache.shared_prefix import ATTENTION
from cosec.runtime.torch.lora_rows import AdapterSwitch

AdapterUse = Literal["off", "on", "leading half"]


@dataclass(slots=True)
class CachedModel:
    """A model, its cache, and which of its rows go through the adapter.

    With ``adapter="leading half"`` the batch is [security rows, target rows] over shared weights: the prompts given
    to ``prefill`` must then be the same list twice.
    """

    model: PreTrainedModel
    """The weights; never changed."""

    vocabulary_size: int
    """Logits are cut to this many entries."""

    switch: AdapterSwitch | None = None
    """The adapter's switch when one is attached to the weights."""

    adapter: AdapterUse = "off"
    """Which rows the adapter acts on."""

    cache: KeyValueCache | None = None
    """What the rows were fed; None before ``prefill``."""

    unfed: tuple[int, ...] = ()
    """Tokens of every row that still wait to be fed."""

    def __post_init__(self) -> None:
        if self.adapter != "off" and self.switch is None:
            raise ValueError("an adapter's rows were asked for but no adapter is attached")
        kinds = set(getattr(self.model.config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"}:
            raise ModelError(
                f"{type(self.model).__name__} has layers of the kinds {sorted(kinds)}; co-decoding rolls "
                "back key-value caches and supports full attention only. "
                "Choose a model of one of the families in `cosec models list`."
            )

    @property
    def row_count(self) -> int:
        """Rows in the running batch."""
        return 0 if self.cache is None else self.cache.rows

    @torch.inference_mode()
    def prefill(self, prompts: Sequence[Sequence[int]]) -> CachedModel:
        """A new batch with one row per prompt, each fed alone so that no prompt depends on another."""
        half = self.adapter == "leading half"
        distinct = prompts[: len(prompts) // 2] if half else prompts
        parts = [self._prefilled(prompt, rows=2 if half else 1) for prompt in distinct]
        cache = KeyValueCache.joined(parts)
        if half and len(parts) > 1:
            cache.select([*range(0, len(prompts), 2), *range(1, len(prompts), 2)])
        return CachedModel(self.model, self.vocabulary_size, self.switch, self.adapter, cache)

    def _prefilled(self, prompt: Sequence[int], rows: int) -> KeyValueCache:
        shares = self.model.config._attn_implementation == ATTENTION
        layers = self.model.config.num_hidden_layers
        cache = KeyValueCache(layers, rows, self.model.device, shares_prefixes=shares)
        if prompt:
            tokens = torch.tensor(list(prompt), device=self.model.device).expand(rows, -1)
            self._forward(self.model.base_model, tokens, cache, prompt)
        return cache

    @torch.inference_mode()
    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        """Feed tokens to every row; float32 logits after each of them."""
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
        """Keep these rows, in this order; a row may be named several times."""
        assert self.cache is not None, "prefill first"
        self.feed(())
        with torch.inference_mode():
            self.cache.select(rows)

    @torch.inference_mode()
    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row; nothing is scored. ``later``: in one pass with what is fed next."""
        assert self.cache is not None, "prefill first"
        token_ids, self.unfed = (*self.unfed, *token_ids), ()
        if later:
            self.unfed = token_ids
        elif token_ids:
            tokens = torch.tensor(list(token_ids), device=self.model.device).expand(self.cache.rows, -1)
            self._forward(self.model.base_model, tokens, self.cache, token_ids)

    def join(self, newcomers: Sequence[CachedModel]) -> None:
        """Take in the rows of other batches of this model, in order, after its own; the others are used up."""
        for one in (self, *newcomers):
            one.feed(())
        parts = [one.cache for one in (self, *newcomers) if one.cache is not None]
        with torch.inference_mode():
            self.cache = KeyValueCache.joined(parts)

    def fork(self, kept: int) -> CachedModel:
        """A copy whose rows remember their first ``kept`` tokens only; all rows must have been fed alike."""
        assert self.cache is not None, "prefill first"
        self.feed(())
        with torch.inference_mode():
            cache = self.cache.prefix(kept)
        return CachedModel(self.model, self.vocabulary_size, self.switch, self.adapter, cache)

    def _forward(
        self, module: torch.nn.Module, tokens: Tensor, cache: KeyValueCache, alike: Sequence[int] = (), **scored: int
    ) -> Any:
        """Run the model; all rows get the same tokens where the first of them are ``alike``."""
        rows = tokens.shape[0]
        inputs = cache.extend(tokens.shape[1], alike)
        longest = getattr(self.model.config, "max_position_embeddings", None)
        if longest is not None:
            # A draft may reach past the context of a row that ends inside it; those scores are dropped.
            inputs = replace(inputs, position_ids=inputs.position_ids.clamp(max=longest - 1))
        if self.switch is None:
            return _run(module, tokens, inputs, **scored)
        self.switch.rows = {"off": 0, "on": rows, "leading half": rows // 2}[self.adapter]
        try:
            return _run(module, tokens, inputs, **scored)
        finally:
            self.switch.rows = 0


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
