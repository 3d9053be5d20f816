"""The interface of a target that gives text and nothing else, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cosec.decoding.settings import SamplingSettings

InReaderThread = Callable[[Callable[[], object]], Awaitable[object]]
"""Runs a function in the thread that owns the models, and returns its result."""


def is_url(target: str) -> bool:
    """Whether the name of a target is the address of a server."""
    return target.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPrompt:
    """What the target continues: a text, a text with a gap, or a conversation."""

    text: str = ""
    """The text to continue; without effect in a conversation."""

    suffix: str | None = None
    """The text after the gap that the target fills; None if there is no gap."""

    messages: Sequence[Mapping[str, object]] | None = None
    """A conversation as the API takes it; None for a text."""

    continues: bool = False
    """Whether the last message of the conversation is continued, instead of a new one begun."""

    begins_anew: bool = False
    """Whether a new message of the assistant follows its last one, which servers would otherwise continue."""

    open_ended: bool = False
    """Whether nobody limited the length of a conversation's next message. A server is told no limit then, as it may
    have room for fewer tokens than the security model has, and a text that fills the security model's context ends.
    """

    ids: tuple[int, ...] | None = None
    """The same in the target's tokens, for a target in this process; None to encode the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to the target: continue the prompt and the text so far."""

    prompt: TargetPrompt
    """The prompt."""

    written: str = ""
    """The completion so far, which the target continues."""

    max_tokens: int
    """Length limit of the continuation, in the target's tokens."""

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """Temperature and cuts; the limits, stop texts and seed in it are not used."""

    seed: int = 0
    """Seed of this request."""

    log_probs: bool = False
    """Whether the log-probabilities of the target's tokens are wanted, if it gives them."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A piece of the target's continuation."""

    text: str
    """New text, possibly empty."""

    finish_reason: Literal["stop", "length"] | None = None
    """Set with the last piece: the target ended the text, or the limit was reached."""

    tokens: tuple[tuple[str, float], ...] = ()
    """The target's tokens of the text with their log-probabilities, as far as it gives them; bytes that are no text
    are surrogates (``surrogateescape``).
    """

    pieces: int = 1
    """Number of pieces with text that it was merged from; servers send about one for each token."""


class TargetFailure(Exception):  # noqa: N818 - it says what happened
    """The target failed to answer, or answered with something unusable; another try may succeed.

    Args:
        message: What happened.
        retry_after: Seconds that the target asks to wait; None if it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class TokenScore:
    """How likely a target finds a token of a text."""

    text: str
    """The token."""

    log_prob: float
    """Raw log-probability of the token."""

    best: float
    """That of the target's most likely token at this place."""


class TextTarget(Protocol):
    """A target that continues text."""

    async def scores_texts(self) -> bool:
        """Whether `scores` works; asks the target the first time."""
        ...

    async def scores(self, ask: Ask, text: str) -> list[TokenScore]:
        """Score a text that might follow.

        Args:
            ask: The prompt and the text before it.
            text: The text, at least one character.

        Returns:
            A score for each of the target's tokens that has some of the text, possibly beside what is before it.

        Raises:
            TargetFailure: If another try may succeed.
            EndpointError: If the target does not score texts.
        """
        ...

    async def divided(self, text: str) -> list[str]:
        """The target's tokens of a text, possibly after one that begins every text.

        Raises:
            TargetFailure: If another try may succeed.
            EndpointError: If the target does not tell its tokens.
        """
        ...

    def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        """Continue a text; the caller may stop reading at any time, which cancels the request.

        Args:
            ask: What to continue.

        Yields:
            The continuation in pieces. The last one has a finish reason.

        Raises:
            TargetFailure: If another try may succeed.
            EndpointError: If the target refuses the request.
        """
        ...

    async def close(self) -> None:
        """Release connections or memory."""
        ...
