"""Tickets: one request on its way through the scheduler, and the events it produces."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cosec.decoding.batch import CompletionRequest
from cosec.decoding.completion import FinishReason
from cosec.decoding.trace import TokenRecord
from cosec.serving.api_errors import ApiError
from cosec.serving.scheduler.prompt_scoring import ScoredToken
from cosec.serving.scheduler.request import DecodingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a block added to one completion of a request."""

    choice: int
    """Index of the choice as OpenAI counts: prompt index * samples + sample index."""

    text: str
    """New text, possibly empty."""

    records: tuple[TokenRecord, ...]
    """New tokens."""

    finish_reason: FinishReason | None
    """Set with the completion's last piece."""

    stop_text: str | None = None
    """The stop text that ended the completion, with its last piece."""

    incomplete: bytes = b""
    """The bytes of the character that the end of the completion cut, with its last piece."""

    cut: bool = False
    """Whether the text ends before its last tokens, where the code ended; with the last piece."""

    unchecked_from: int | None = None
    """Character of the completion from which on nothing was checked; None if all of it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScores:
    """Scores of a prompt's tokens under the target; posted before the first progress of its completions."""

    prompt_index: int
    """Index of the prompt in the request."""

    tokens: tuple[ScoredToken, ...]
    """All tokens of the prompt."""


Event = Progress | PromptScores | ApiError
"""Progress of one completion, scores of a prompt, or the reason why the request failed."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One request: completions that succeed or fail together."""

    asked: DecodingRequest
    """What to decode."""

    client: str
    """Identity of the client, for turns."""

    deadline: float
    """``time.monotonic()`` at which the request is given up."""

    post: Callable[[Event], None]
    """Called with every event, on the scheduler's thread; must not block."""

    open_choices: int
    """Number of completions that are not done."""

    submitted: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` at which the request was accepted."""

    cancelled: bool = False
    """Set by any thread at any time; its completions leave before the next block."""

    failed: bool = False
    """Whether an error was posted; nothing is posted after it."""

    first_token_seconds: float | None = None
    """Seconds from acceptance to the first token of any of its completions."""

    @property
    def over(self) -> bool:
        """Whether nothing more is to be decoded."""
        return self.cancelled or self.failed or self.open_choices == 0

    def fail(self, error: ApiError) -> None:
        """Post the reason why the request failed, once."""
        if not self.over:
            self.failed = True
            self.post(error)


@dataclass(slots=True, eq=False)
class Waiting:
    """Samples of one prompt that wait for rows."""

    ticket: Ticket
    """The request."""

    prompt_index: int
    """Index of the prompt in the request."""

    samples: list[int]
    """Indices of the waiting samples."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """Token ids of the prompt."""
        return self.ticket.asked.prompts[self.prompt_index]

    def split(self, count: int) -> Waiting:
        """Take the first ``count`` samples out, as a part of their own."""
        first, self.samples = self.samples[:count], self.samples[count:]
        return Waiting(self.ticket, self.prompt_index, first)

    def request(self) -> CompletionRequest:
        """The samples as a request to the batch."""
        asked = self.ticket.asked
        return CompletionRequest(
            prompt_ids=self.prompt_ids,
            samples=tuple(self.samples),
            max_new_tokens=asked.max_new_tokens,
            stop=asked.settings.sampling.stop,
            stop_token_ids=asked.stop_token_ids,
            ignore_eos=asked.ignore_eos,
            min_new_tokens=asked.min_new_tokens,
            settings=asked.settings,
            watcher=asked.watchers[self.prompt_index] if asked.watchers else None,
        )

    def row(self, sample: int, now: float) -> Row:
        """A sample's row once it has joined, at ``time.monotonic() == now``."""
        return Row(self.ticket, self.prompt_index * self.ticket.asked.samples + sample, now)


@dataclass(slots=True, eq=False)
class Row:
    """One completion in a running batch."""

    ticket: Ticket
    """The request it belongs to."""

    choice: int
    """Its index among the request's choices."""

    last_block: float
    """``time.monotonic()`` of its latest token, or of its joining."""
