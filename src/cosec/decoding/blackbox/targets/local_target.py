"""A model in this process as a target that gives text, for a security model with another tokenizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import torch

from cosec.decoding.batch import Batch, CompletionRequest, Progress, batch_setup
from cosec.decoding.blackbox.targets.text_target import Ask, InReaderThread, Proposal, TargetPrompt, TokenScore
from cosec.decoding.blackbox.text_tokens import TextTokens
from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import LongestBeginning, PromptCache, most_cached_prompts
from cosec.decoding.settings import DecodingSettings
from cosec.errors import PromptError
from cosec.runtime import TokenModel

_CACHED_TOKENS = 16384
"""Most tokens of prompts that are kept, so that the target is asked again without reading them again."""


class LocalTarget:
    """A loaded model that continues text.

    Args:
        pair: The model as the target of a pair; its security model is not used.
        in_reader_thread: Runs a function in the thread that owns all models.
    """

    def __init__(self, pair: PreparedPair, in_reader_thread: InReaderThread) -> None:
        self.pair = pair
        """The model."""
        self.tokens = TextTokens(pair.tokenizer)
        """Its tokens."""
        self._in_reader_thread = in_reader_thread
        self._cache: PromptCache[Lanes] = PromptCache(_CACHED_TOKENS, LongestBeginning(), most_cached_prompts(pair))
        self._prompt: tuple[tuple[int, ...], TokenModel] | None = None

    def prompt_ids(self, prompt: TargetPrompt) -> tuple[int, ...]:
        """A prompt in the target's tokens.

        Raises:
            PromptError: If it is longer than the target's context, or no text and not given in tokens.
        """
        ids = prompt.ids
        if ids is None:
            if prompt.messages is not None or prompt.suffix is not None:
                raise PromptError("A model in this process continues texts only; serve it to use chats and infills.")
            ids = tuple(self.pair.tokenizer(prompt.text).input_ids)
        if len(ids) >= self.pair.context_length:
            raise PromptError(
                f"The prompt has {len(ids)} tokens, but the target's context holds {self.pair.context_length}: "
                "shorten it."
            )
        return ids

    def read_prompt(self, prompt_ids: tuple[int, ...]) -> TokenModel:
        """A row that was fed the prompt without its last token; samples of the last prompt share the work."""
        if self._prompt is None or self._prompt[0] != prompt_ids:
            self._prompt = prompt_ids, self.pair.target_model().prefill([prompt_ids[:-1]])
        return self._prompt[1].fork(len(prompt_ids) - 1)

    async def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        """Continue a text; see :class:`~cosec.decoding.blackbox.targets.text_target.TextTarget`."""
        batch = await self._in_reader_thread(partial(self._batch, ask))
        if batch is None:
            yield Proposal("", "length")
            return
        assert isinstance(batch, Batch)
        while batch.active:
            step = await self._in_reader_thread(batch.step)
            assert isinstance(step, list)
            for progress in step:
                assert isinstance(progress, Progress)
                ended = progress.finish_reason
                yield Proposal(progress.growth.text, None if ended is None else "stop" if ended == "stop" else "length")

    async def scores_texts(self) -> bool:
        """Always: the probabilities of a model in this process are known."""
        return True

    async def scores(self, ask: Ask, text: str) -> list[TokenScore]:
        """Score a text; see :class:`~cosec.decoding.blackbox.targets.text_target.TextTarget`."""
        found = await self._in_reader_thread(partial(self._scores, ask, text))
        assert isinstance(found, list)
        return found

    @torch.inference_mode()
    def _scores(self, ask: Ask, text: str) -> list[TokenScore]:
        prompt, before = self.prompt_ids(ask.prompt), len(ask.written.encode())
        encoded = self.tokens.encode(ask.written + text)
        ids, end, first = [token for token, _ in encoded], 0, 0
        for first, (_, spelled) in enumerate(encoded):  # noqa: B007 - the first token with some of the text
            end += len(spelled)
            if end > before:
                break
        rows = self.read_prompt(prompt)
        rows.feed([prompt[-1], *ids][:first])
        fed = [prompt[-1], *ids][first : len(ids)]
        log_probs = rows.advance(torch.tensor([fed]))[0].log_softmax(dim=-1)
        best = log_probs.amax(dim=-1).tolist()
        found = log_probs[range(len(fed)), ids[first:]].tolist()
        texts = [spelled.decode(errors="replace") for _, spelled in encoded[first:]]
        return [TokenScore(*all_of_it) for all_of_it in zip(texts, found, best, strict=True)]

    async def divided(self, text: str) -> list[str]:
        """The target's tokens of a text."""
        return [spelled.decode(errors="replace") for _, spelled in self.tokens.encode(text)]

    async def close(self) -> None:
        """Nothing: the weights are the pair's."""

    def _batch(self, ask: Ask) -> Batch | None:
        """A batch of one completion, whose prompt was read; None if the text so far fills the context."""
        changes = {"seed": ask.seed, "stop": (), "code_end": "none", "top_logprobs": None}
        settings = DecodingSettings(sampling=ask.sampling.model_copy(update=changes))
        ids = (*self.prompt_ids(ask.prompt), *(token for token, _ in self.tokens.encode(ask.written)))
        room = self.pair.context_length - len(ids)
        if room < 1:
            return None
        batch = Batch(batch_setup(self.pair, settings, "target"), cache=self._cache)
        reading = batch.start_reading(CompletionRequest(prompt_ids=ids, max_new_tokens=min(room, ask.max_tokens)))
        reading.feed()
        batch.join([reading])
        return batch
