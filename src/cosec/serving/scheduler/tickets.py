"""Tickets: one request on its way through the scheduler, and what comes back of it."""

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
    """Prompt index times samples plus sample index, as OpenAI counts choices."""

    text: str
    """New text, possibly empty."""

    records: tuple[TokenRecord, ...]
    """New tokens."""

    finish_reason: FinishReason | None
    """Set with the completion's last piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScores:
    """How likely the target finds a prompt; comes before the first progress of that prompt's completions."""

    prompt_index: int
    """Which prompt of the request."""

    tokens: tuple[ScoredToken, ...]
    """All of its tokens."""


Event = Progress | PromptScores | ApiError
"""A piece of one completion, a scored prompt, or why the whole request failed."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One request: any number of completions that succeed or fail together."""

    asked: DecodingRequest
    """What to decode."""

    client: str
    """Whose turn it takes."""

    deadline: float
    """``time.monotonic()`` at which it is given up."""

    post: Callable[[Event], None]
    """Takes every event; called from the scheduler's thread and must not block."""

    open_choices: int
    """Completions that are not done yet."""

    submitted: float = field(default_factory=time.monotonic)
    """When it was taken in."""

    cancelled: bool = False
    """Set by anyone at any time; its rows leave before the next block."""

    failed: bool = False
    """Whether an error was posted; nothing is posted after it."""

    first_token_seconds: float | None = None
    """From submission to the first token of any of its completions."""

    @property
    def over(self) -> bool:
        """Whether nothing more is to be decoded for it."""
        return self.cancelled or self.failed or self.open_choices == 0

    def fail(self, error: ApiError) -> None:
        """Tell the client once why its request failed."""
        if not self.over:
            self.failed = True
            self.post(error)


@dataclass(slots=True, eq=False)
class Waiting:
    """Samples of one prompt that still wait for rows."""

    ticket: Ticket
    prompt_index: int
    samples: list[int]

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt."""
        return self.ticket.asked.prompts[self.prompt_index]

    def split(self, count: int) -> Waiting:
        """Take the first ``count`` samples out, as a part of its own."""
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
            settings=asked.settings,
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
