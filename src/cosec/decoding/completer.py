"""Text in, text out: the engine with a tokenizer on both sides, for one prompt or many, whole or streamed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cosec.decoding.completion.growing import GrowingCompletion
from cosec.decoding.engine import FinishReason, Run, SequenceRequest
from cosec.decoding.engine.draft_length import draft_length_for
from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.verification import Rule
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord, TraceSummary, summary
from cosec.errors import PromptError

DEFAULT_ROWS = 32
"""Sequences decoded at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One finished completion."""

    prompt_index: int
    """Which prompt it continues."""

    sample_index: int
    """Which of the n samples it is."""

    text: str
    """What follows the prompt, without the stop text."""

    finish_reason: FinishReason
    """``stop``: a stop token or stop text; ``length``: the token limit; ``cancelled``: taken out."""

    records: tuple[TokenRecord, ...]
    """One record per emitted token, the stop token included."""

    seconds: float
    """Wall time from the start of its batch, prefill included."""

    @property
    def totals(self) -> TraceSummary:
        """Tokens emitted, drafted, accepted, changed."""
        return summary(self.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one block added to one completion."""

    prompt_index: int
    """Which prompt."""

    sample_index: int
    """Which of its samples."""

    text: str
    """New text, possibly empty."""

    records: tuple[TokenRecord, ...]
    """New tokens."""

    completion: Completion | None
    """The whole completion, with its last piece."""


@dataclass(slots=True)
class _Open:
    """A completion under way."""

    prompt_index: int
    sample_index: int
    growing: GrowingCompletion


def rule_and_lanes(
    pair: PreparedPair, settings: DecodingSettings, alone: Literal["target", "security"] | None
) -> tuple[Rule, Lanes]:
    """What an arm decodes with: both models under the settings' rule, or one of them alone.

    Raises:
        SettingsError: If the pair lacks what the rule needs.
    """
    if alone is None:
        rule = rule_for(settings)
        return rule, pair.lanes(settings.sampling.draft_length, base=rule.needs_base)
    lane = pair.target_lane() if alone == "target" else pair.security_lane()
    return rule_for(settings.for_one_model()), lane


class Completer:
    """Completes prompts with a pair of models: hardened, or with the target alone for comparison."""

    def __init__(
        self,
        pair: PreparedPair,
        settings: DecodingSettings,
        *,
        alone: Literal["target", "security"] | None = None,
        rows: int = DEFAULT_ROWS,
    ) -> None:
        """All arms of a pair share its weights.

        Args:
            pair: The models.
            settings: How to decode.
            alone: The only model to run, for comparison; None: both, under the rule.
            rows: Sequences decoded at once.

        Raises:
            SettingsError: If the pair lacks what the rule needs.
        """
        self._pair = pair
        self._settings = settings
        self._rule, self._lanes = rule_and_lanes(pair, settings, alone)
        self._draft_length = draft_length_for(settings.sampling.draft_length, self._lanes.longest_draft)
        self._rows = rows

    def complete(self, prompts: Sequence[str], *, n: int = 1) -> list[Completion]:
        """All completions, by prompt and then by sample.

        Raises:
            PromptError: If a prompt is empty or longer than the models' context.
        """
        done = [piece.completion for piece in self.stream(prompts, n=n) if piece.completion is not None]
        return sorted(done, key=lambda completion: (completion.prompt_index, completion.sample_index))

    def stream(
        self, prompts: Sequence[str], *, n: int = 1, cancelled: Callable[[int, int], bool] | None = None
    ) -> Iterator[Piece]:
        """Pieces as they are decided; the last piece of a completion carries all of it.

        Args:
            prompts: The texts to continue.
            n: Samples for each prompt.
            cancelled: Asked before every block whether (prompt index, sample index) is to be given up.

        Raises:
            PromptError: If a prompt is empty or longer than the models' context.
        """
        requests = [
            (index, request) for index, prompt in enumerate(prompts) for request in self._requests(index, prompt, n)
        ]
        for start in range(0, len(requests), self._rows):
            yield from self._run(requests[start : start + self._rows], cancelled)

    def _requests(self, index: int, prompt: str, n: int) -> list[SequenceRequest]:
        prompt_ids = tuple(self._pair.tokenizer(prompt).input_ids)
        if not prompt.strip() or not prompt_ids:
            raise PromptError(f"Prompt {index} is empty; give the code to continue.")
        room = self._pair.context_length - len(prompt_ids)
        if room < 1:
            raise PromptError(
                f"Prompt {index} has {len(prompt_ids)} tokens, the models' context holds {self._pair.context_length}: "
                "shorten it so that at least one token can follow."
            )
        limit = min(room, self._settings.sampling.max_new_tokens)
        return [SequenceRequest(prompt_ids=prompt_ids, sample_index=i, max_new_tokens=limit) for i in range(n)]

    def _run(
        self, requests: Sequence[tuple[int, SequenceRequest]], cancelled: Callable[[int, int], bool] | None
    ) -> Iterator[Piece]:
        started = time.perf_counter()
        stop = self._settings.sampling.stop
        opened = {
            sequence: _Open(
                index,
                request.sample_index,
                GrowingCompletion(self._pair.tokenizer, request.prompt_ids, stop, self._pair.stop_token_ids),
            )
            for sequence, (index, request) in enumerate(requests)
        }
        run = Run(
            self._lanes,
            self._rule,
            self._settings,
            self._pair.stop_token_ids,
            [request for _, request in requests],
            self._draft_length,
        )
        while opened:
            for sequence, one in list(opened.items()):
                if cancelled is not None and cancelled(one.prompt_index, one.sample_index):
                    run.cancel(sequence)
                    yield self._piece(opened.pop(sequence), (), "cancelled", started)
            for emission in run.step():
                one = opened[emission.sequence]
                piece = self._piece(one, emission.records, emission.finish_reason, started)
                if piece.completion is not None:
                    run.cancel(emission.sequence)
                    del opened[emission.sequence]
                yield piece

    def _piece(
        self, one: _Open, records: tuple[TokenRecord, ...], finish: FinishReason | None, started: float
    ) -> Piece:
        growth = one.growing.take(records, finish)
        completion = None
        if growth.finish_reason is not None:
            completion = Completion(
                prompt_index=one.prompt_index,
                sample_index=one.sample_index,
                text=one.growing.text,
                finish_reason=growth.finish_reason,
                records=tuple(one.growing.records),
                seconds=time.perf_counter() - started,
            )
        return Piece(
            prompt_index=one.prompt_index,
            sample_index=one.sample_index,
            text=growth.text,
            records=growth.records,
            completion=completion,
        )
