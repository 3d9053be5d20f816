"""Text in, text out: completes one prompt or many, as a whole or as a stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cosec.decoding.batch import Batch, CompletionRequest, Progress, batch_setup
from cosec.decoding.completion import FinishReason, code_watcher
from cosec.decoding.engine.draft_length import draft_length_for
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.refill import Refill, leaving_together
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord, TraceSummary, summary
from cosec.errors import PromptError, SettingsError
from cosec.models.loading.quick_tokenizer import token_ids

DEFAULT_ROWS = 32
"""Default number of sequences decoded at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One finished completion."""

    prompt_index: int
    """Index of its prompt."""

    sample_index: int
    """Index among the samples of its prompt."""

    text: str
    """The text after the prompt, without the stop text and what follows the end of its code."""

    finish_reason: FinishReason
    """``stop``: a stop token, a stop text, the end of code; ``length``: the token limit; ``cancelled``: the caller."""

    records: tuple[TokenRecord, ...] = field(repr=False)
    """One record per token, including the stop token."""

    seconds: float
    """Wall time in seconds, from the start of reading its prompt."""

    @property
    def totals(self) -> TraceSummary:
        """Number of tokens emitted, drafted, accepted and changed."""
        return summary(self.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one block added to one completion."""

    prompt_index: int
    """Index of the prompt."""

    sample_index: int
    """Index among the samples of the prompt."""

    text: str
    """New text, possibly empty."""

    records: tuple[TokenRecord, ...]
    """New tokens."""

    completion: Completion | None
    """The whole completion; set in its last piece only."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A completion under way."""

    prompt_index: int
    sample_index: int
    started: float

    @property
    def place(self) -> tuple[int, int]:
        return self.prompt_index, self.sample_index

    def piece(self, progress: Progress) -> Piece:
        completion = None
        if progress.finish_reason is not None:
            completion = Completion(
                prompt_index=self.prompt_index,
                sample_index=self.sample_index,
                text=progress.completion.text,
                finish_reason=progress.finish_reason,
                records=tuple(progress.completion.records),
                seconds=time.perf_counter() - self.started,
            )
        return Piece(
            prompt_index=self.prompt_index,
            sample_index=self.sample_index,
            text=progress.growth.text,
            records=progress.records,
            completion=completion,
        )


class Completer:
    """Completes prompts with a pair of models, or with one of them alone for comparison.

    Args:
        pair: The models; all completers of a pair share its weights.
        settings: Rule and sampling. Without a rule in them, the rule that the adapter carries applies.
        alone: The only model to run; None for both, under the rule.
        rows: Number of sequences decoded at once.
        target_records: Whether records say what the target gives each token; see :func:`cosec.harden`.

    Raises:
        SettingsError: If ``rows`` is below 1, or if the pair lacks a model that the rule needs.
    """

    def __init__(
        self,
        pair: PreparedPair,
        settings: DecodingSettings,
        *,
        alone: Literal["target", "security"] | None = None,
        rows: int = DEFAULT_ROWS,
        target_records: bool = True,
    ) -> None:
        if not isinstance(settings, DecodingSettings):
            kind = type(settings).__name__
            raise SettingsError(f"settings: give DecodingSettings(rule=..., sampling=...), not {kind}.")
        if rows < 1:
            raise SettingsError("rows must be at least 1.")
        if alone is None:
            settings = _with_own_rule(settings, pair)
        self._pair = pair
        self._settings = settings
        with pair.lock:
            self._setup = batch_setup(pair, settings, alone, target_records=target_records)
        self._draft_length = draft_length_for(settings.sampling.draft_length, self._setup.lanes.longest_draft)
        self._rows = rows

    def complete(self, prompts: str | Sequence[str], *, n: int = 1) -> list[Completion]:
        """Complete every prompt.

        Args:
            prompts: The text or texts to continue.
            n: Number of samples of each prompt.

        Returns:
            The completions, ordered by prompt and then by sample.

        Raises:
            SettingsError: If ``n`` is below 1.
            PromptError: If a prompt is empty or longer than the models' context.
        """
        done = [piece.completion for piece in self.stream(prompts, n=n) if piece.completion is not None]
        return sorted(done, key=lambda completion: (completion.prompt_index, completion.sample_index))

    def stream(
        self, prompts: str | Sequence[str], *, n: int = 1, cancelled: Callable[[int, int], bool] | None = None
    ) -> Iterator[Piece]:
        """Complete every prompt, and yield text as it is decoded.

        Args:
            prompts: The text or texts to continue.
            n: Number of samples of each prompt.
            cancelled: Called before every block with the prompt index and sample index of each completion under way;
                True ends that completion.

        Returns:
            Pieces of all completions; the last piece of a completion carries the whole of it.

        Raises:
            SettingsError: If ``n`` is below 1.
            PromptError: If a prompt is empty or longer than the models' context.
        """
        if n < 1:
            raise SettingsError("n must be at least 1.")
        return self._pieces([prompts] if isinstance(prompts, str) else prompts, n, cancelled)

    def _pieces(self, prompts: Sequence[str], n: int, cancelled: Callable[[int, int], bool] | None) -> Iterator[Piece]:
        requests = [one for index, prompt in enumerate(prompts) for one in self._requests(index, prompt, n)]
        batch = Batch(self._setup, leave_together=leaving_together(self._rows), draft_length=self._draft_length)
        refill = Refill(batch, requests, rows=self._rows, samples=min(n, self._rows))
        opened: dict[int, _Open] = {}
        while not refill.done:
            with self._pair.lock:
                started = time.perf_counter()
                for (index, samples), numbers in refill.fill():
                    opened.update(
                        (number, _Open(index, sample, started)) for number, sample in zip(numbers, samples, strict=True)
                    )
                ended = [number for number, one in opened.items() if cancelled and cancelled(*one.place)]
                found = [*batch.cancel(ended), *batch.step()]
            for progress in found:
                yield opened[progress.sequence].piece(progress)
                if progress.finish_reason is not None:
                    del opened[progress.sequence]

    def _requests(self, index: int, prompt: str, n: int) -> list[tuple[tuple[int, range], CompletionRequest]]:
        """The prompt's samples, in requests of at most as many as are decoded at once; each with index and samples."""
        prompt_ids = token_ids(self._pair.tokenizer, prompt)
        if not prompt or not prompt_ids:
            raise PromptError(f"Prompt {index} is empty; give the code to continue.")
        room = self._pair.context_length - len(prompt_ids)
        if room < 1:
            raise PromptError(
                f"Prompt {index} has {len(prompt_ids)} tokens, but the models' context holds "
                f"{self._pair.context_length}: shorten it so that at least one token can follow."
            )
        limit = min(room, self._settings.sampling.max_new_tokens)
        parts = [range(start, min(start + self._rows, n)) for start in range(0, n, self._rows)]
        sampling = self._settings.sampling
        watcher = code_watcher(prompt, sampling.code_end)
        return [
            (
                (index, part),
                CompletionRequest(
                    prompt_ids=prompt_ids,
                    samples=tuple(part),
                    max_new_tokens=limit,
                    stop=sampling.stop,
                    watcher=watcher,
                ),
            )
            for part in parts
        ]


def _with_own_rule(settings: DecodingSettings, pair: PreparedPair) -> DecodingSettings:
    """The settings, with the pair's own rule if they were made without a rule."""
    if "rule" in settings.model_fields_set:
        return settings
    return DecodingSettings.model_validate({"rule": pair.own_rule, "sampling": settings.sampling})
