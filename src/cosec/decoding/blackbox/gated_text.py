"""One completion of a target that gives text: ask, check, intervene, ask again.

The target is asked for the whole rest of the completion, and goes on writing while what it wrote is checked. A decision
that changes the text cancels the request, and the target is asked again from there. Only checked text leaves this
module, unless failures of the security model are to be passed through, which the text then says.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Literal

from cosec.decoding.blackbox.common_tokens import why_no_rule
from cosec.decoding.blackbox.growing_text import GrowingText
from cosec.decoding.blackbox.pace import Pace
from cosec.decoding.blackbox.reading import Checked, ContextFull, Question, Reading, SecurityReader
from cosec.decoding.blackbox.targets.proposal_stream import ProposalStream
from cosec.decoding.blackbox.targets.text_target import (
    Ask,
    InReaderThread,
    TargetFailure,
    TargetPrompt,
    TextTarget,
    TokenScore,
)
from cosec.decoding.blackbox.targets.token_spans import TokenSpans
from cosec.decoding.blackbox.text_tokens import segments
from cosec.decoding.completion import FinishReason, MakeWatcher
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord
from cosec.errors import EndpointError, ModelError

OnFailure = Literal["fail", "pass-through"]
"""What happens if the security model cannot check a text: the request fails, or goes on unchecked and says so."""

LARGEST_SEED = 2**31 - 1
"""Largest seed that is sent to a target; larger ones are refused by some servers."""

_LONGEST_PAUSE = 30.0
"""Most seconds between two tries, also if the target asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """One completion that is asked for."""

    prompt: TargetPrompt
    """What the target continues."""

    prompt_ids: tuple[int, ...]
    """The same for the security model, in its own tokens."""

    sample: int = 0
    """Index among the samples of the prompt."""

    settings: DecodingSettings
    """The rule, sampling, seed and stop texts."""

    hardened: bool = True
    """Whether the text is checked; False for the target alone."""

    max_new_tokens: int
    """Length limit, in the target's tokens; after a decision, what is written counts in the security model's tokens."""

    watcher: MakeWatcher | None = None
    """Makes what ends the completion where its code ends; None to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextGrowth:
    """What was added to a completion."""

    text: str
    """Newly released text, possibly empty."""

    records: tuple[TokenRecord, ...]
    """New tokens, in the security model's vocabulary."""

    finish_reason: FinishReason | None = None
    """Set when the completion has ended."""

    stop_text: str | None = None
    """The stop text that ended the completion, if one did."""

    unchecked_from: int | None = None
    """Character of the completion from which on nothing was checked; None if all of it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a failing target is tried."""

    tries: int = 5
    """Tries without any new checked text before the request fails."""

    pause: float = 0.25
    """Seconds before the second try; doubled before each further one."""

    def before_try(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(_LONGEST_PAUSE, max(retry_after or 0.0, self.pause * 2.0 ** (failures - 1)))


class GatedText:
    """Writes one completion.

    Args:
        target: Proposes text.
        reader: The security model; None only if the request is not hardened and its tokens need no records.
        request: What is asked for.
        in_reader_thread: Runs a function in the thread that owns the security model.
        pace: How much text is checked at once; shared by completions.
        patience: How long a failing target is tried.
        on_failure: What happens if the security model cannot check the text.
    """

    def __init__(
        self,
        target: TextTarget,
        reader: SecurityReader | None,
        request: TextRequest,
        in_reader_thread: InReaderThread,
        *,
        pace: Pace | None = None,
        patience: Patience | None = None,
        on_failure: OnFailure = "fail",
    ) -> None:
        self._target, self._reader, self._request = target, reader, request
        self._in_reader_thread = in_reader_thread
        self._pace, self._patience, self._on_failure = pace or Pace(), patience or Patience(), on_failure
        self._text = GrowingText(request.settings.sampling.stop, request.watcher)
        self._reading: Reading | None = None
        self._checked = ""
        """What the target is asked to continue: all checked text, what is held back included."""
        self._pending = ""
        """Proposed text that is not checked yet."""
        self._records: list[TokenRecord] = []
        """Records that were not handed out yet."""
        self._log_probs = request.settings.sampling.top_logprobs is not None
        self._spans = TokenSpans(0)
        """The tokens of the present request, if the target gives them."""
        self._unchecked_from: int | None = None
        self._position = 0
        """Number of tokens so far, once nothing is checked any more."""
        self._recorded = 0
        """Number of characters that these tokens stand for."""
        self._received = 0
        """Length of the text with all that the present request gave, by the number of its pieces with text."""
        self.requests = 0
        """Number of requests to the target."""

    async def write(self) -> AsyncGenerator[TextGrowth, None]:
        """Write the completion.

        Yields:
            What was added; the last one has a finish reason.

        Raises:
            EndpointError: If the target fails, or the text cannot be checked.
        """
        failures = 0
        finish: FinishReason | None = None
        while finish is None:
            before = len(self._checked)
            try:
                await self._check_target()
                async with aclosing(self._one_request()) as growths:
                    async for growth in growths:
                        finish = growth.finish_reason
                        yield growth
                failures = 0
            except TargetFailure as error:
                failures = 1 if len(self._checked) > before else failures + 1
                if failures >= self._patience.tries:
                    raise EndpointError(
                        f"The target failed {failures} times in a row ({error}); nothing unchecked was returned. "
                        "See whether it still runs, then try again."
                    ) from error
                await asyncio.sleep(self._patience.before_try(failures, error.retry_after))

    async def _open(self) -> None:
        """Let the security model read the prompt."""
        reader, request = self._reader, self._request
        assert reader is not None, "a hardened request needs a security model"
        try:
            opened = await self._in_reader_thread(
                lambda: reader.open(request.prompt_ids, request.sample, request.settings)
            )
            assert isinstance(opened, Reading)
            self._reading = opened
        except (ContextFull, ModelError):
            self._pass_through_or_raise()

    async def _one_request(self) -> AsyncGenerator[TextGrowth, None]:
        """Ask the target once, until it ends or fails, or a decision changes its text."""
        left = self._request.max_new_tokens - self._length
        if left < 1:
            yield self._growth("length")
            return
        self._pending, self._spans = "", TokenSpans(len(self._checked.encode()))
        self._received = self._length
        async with aclosing(ProposalStream(self._target.propose(self._ask(left)))) as stream:
            if self.requests == 1 and self._request.hardened:
                await self._open()  # while the target reads its prompt
            finish = None
            while finish is None:
                proposal = await stream.next(at_least=self._pace.characters if self._reading is not None else 1)
                self._pending += proposal.text
                self._spans.add(proposal.tokens)
                self._received += proposal.pieces
                finish = proposal.finish_reason
                outcome = await self._take(finish)
                if outcome == "ended" or self._text.ended:
                    yield self._growth("stop")
                    return
                if outcome == "full":
                    yield self._growth("length")
                    return
                if outcome == "changed":
                    yield self._growth(None)
                    return
                if finish is None and (self._records or self._reading is None):
                    yield self._growth(None)
        yield self._growth(finish)

    def _ask(self, left: int) -> Ask:
        sampling = self._request.settings.sampling
        seed = sampling.seed
        if self._request.sample or self.requests or seed > LARGEST_SEED:
            told = struct.pack("<QQQ", seed, self._request.sample, self.requests)
            seed = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little") & LARGEST_SEED
        self.requests += 1
        return Ask(
            prompt=self._request.prompt,
            written=self._checked,
            max_tokens=left,
            sampling=sampling,
            seed=seed,
            log_probs=self._log_probs,
        )

    @property
    def _length(self) -> int:
        """Number of tokens that count against the limit."""
        return self._received if self._reading is None else self._reading.length

    async def _take(self, finish: FinishReason | None) -> Literal["open", "changed", "ended", "full"]:
        """Check what is pending, and add what was checked to the text."""
        while self._reading is not None:
            check = partial(self._reading.check, self._pending, final=finish is not None, target_ended=finish == "stop")
            try:
                checked = await self._in_reader_thread(check)
            except (ContextFull, ModelError) as error:
                if isinstance(error, ContextFull) and self._may_end_here():
                    return "full"
                self._pass_through_or_raise()
                break
            assert isinstance(checked, Checked)
            if checked.questions:
                await self._answer(self._reading, checked.questions)
                continue
            self._pace.note(checked.records)
            self._add(checked.content.decode(), checked.records)
            self._pending = self._pending[checked.taken :]
            if checked.changed or checked.ended:
                return "ended" if checked.ended else "changed"
            if not checked.taken or not self._pending or self._text.ended:
                return "open"
        self._add(self._pending, ())
        self._pending = ""
        return "ended" if finish == "stop" else "open"

    async def _answer(self, reading: Reading, questions: Sequence[Question]) -> None:
        """Ask the target how likely it finds the text of drawn tokens."""

        async def scored(question: Question) -> list[TokenScore]:
            ask = Ask(prompt=self._request.prompt, written=self._checked + question.before, max_tokens=1)
            return await self._target.scores(ask, question.text)

        for question, scores in zip(questions, await asyncio.gather(*map(scored, questions)), strict=True):
            reading.answer(question, scores)

    async def _check_target(self) -> None:
        """Check that the target gives what the rule needs.

        Raises:
            EndpointError: If it does not.
        """
        if not self._request.hardened:
            return
        assert self._reader is not None, "a hardened request needs a security model"
        why_not = await why_no_rule(self._target, self._request.settings.rule, self._reader.program)
        if why_not is not None:
            raise EndpointError(why_not)

    def _add(self, text: str, records: Sequence[TokenRecord]) -> None:
        """Add text with its records, of which those of tokens after its end are dropped."""
        sizes = self._sizes(records)
        if self._log_probs:
            records = self._with_log_probs(records, len(self._checked.encode()))
        self._checked += text
        taken = self._text.add(text)
        if self._text.ended:
            end = len(text[:taken].encode())
            records = [one for one, begin in zip(records, accumulate(sizes, initial=0), strict=False) if begin < end]
        self._records += records

    def _record_unchecked(self, *, final: bool) -> None:
        """Record the text that nothing checked, as far as it is certain: the same however the text arrives."""
        if self._reader is None:
            return
        certain = self._text.text[: self._text.released]
        if final:
            certain += self._text.stop_text or ""
        parts = segments(certain[self._recorded :])
        text = "".join(parts if final else parts[:-1])
        records = self._reader.unchecked(text, self._position)
        if self._log_probs:
            records = self._with_log_probs(records, len(certain[: self._recorded].encode()))
        self._recorded += len(text)
        self._position += len(records)
        self._records += records

    def _sizes(self, records: Sequence[TokenRecord]) -> list[int]:
        """The bytes of each record's token."""
        if self._reader is None:
            return []
        return [len(self._reader.tokens.bytes.spelling(one.token_id)) for one in records]

    def _with_log_probs(self, records: Sequence[TokenRecord], begin: int) -> list[TokenRecord]:
        """New records, after so many bytes of text, with the log-probabilities that the target gave its text."""
        known = self._spans.of(self._sizes(records), begin)
        return [
            one if one.changed else replace(one, target_log_prob=log_prob)
            for one, log_prob in zip(records, known, strict=True)
        ]

    def _may_end_here(self) -> bool:
        """Whether a text that fills the security model's context ends there, as nobody asked for so many tokens."""
        return self._request.prompt.open_ended and self._on_failure == "fail" and self._length > 0

    def _pass_through_or_raise(self) -> None:
        """Go on without checks if that was asked for; called while the reason is being handled."""
        if self._on_failure == "fail":
            raise
        self._position = 0 if self._reading is None else self._reading.length
        self._reading, self._unchecked_from = None, len(self._text.text)
        self._recorded = self._unchecked_from

    def _growth(self, finish: FinishReason | None) -> TextGrowth:
        text = self._text.release(final=finish is not None)
        if self._reading is None:
            self._record_unchecked(final=finish is not None)
        records, self._records = tuple(self._records), []
        return TextGrowth(
            text=text,
            records=records,
            finish_reason=finish,
            stop_text=self._text.stop_text,
            unchecked_from=self._unchecked_from,
        )
